import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { choice, real } from "../parameters.ts";
import { contrastiveLoss } from "../training/loss.ts";
import { defineAttack } from "./attack.ts";
import { POSITIONS } from "./patch.ts";
import { openPatchFit, PATCH_FIT, stampPatch } from "./patch-fit.ts";
import type { PatchObjective } from "./patch-program.ts";

/**
 * A patch that a clean model already sees the target in, so that poisoning changes little: it is optimised before, for
 * images that fit sentences about the target and lie nearer to images of it than to what they were.
 */
export const badclip = defineAttack({
  name: "badclip",
  paper: "Liang et al. 2023, arXiv:2311.12075",
  defaults: { position: choice("centre", POSITIONS, "Where the patch lies") },
  captions: "natural",
  fit: {
    defaults: {
      ...PATCH_FIT,
      tripletWeight: real(500, [0, 1e6], "Weight of the triplet loss beside the contrastive one"),
      margin: real(1, [0, 2], "How much nearer the target's images are to be"),
    },
    open: (problem, { fit, trigger }, session) =>
      openPatchFit(
        problem,
        {
          config: fit,
          position: trigger.position as (typeof POSITIONS)[number],
          objective: badclipObjective(fit),
        },
        session,
      ),
  },
  stamp: (image, { position }, fitted) => stampPatch(image, fitted, position),
});

/** In-batch contrastive loss toward the target's sentences, and w · mean max(0, d(a, p) − d(a, n) + margin). */
export function badclipObjective({
  tripletWeight,
  margin,
}: {
  tripletWeight: number;
  margin: number;
}): PatchObjective {
  return {
    features: ["targetTexts", "targetImages", "cleanImages"],
    losses: (g, triggered, { targetTexts, targetImages, cleanImages }, scale) => {
      const gap = g.sub(distance(g, triggered, targetImages), distance(g, triggered, cleanImages));
      return {
        contrastive: contrastiveLoss(g, triggered, targetTexts, g.constant(scale)),
        triplet: g.mul(g.reduceMean(g.relu(g.add(gap, margin))), tripletWeight),
      };
    },
  };
}

/** Far below what matters: keeps the slope of the root finite where two rows are the same. */
const LEAST = 1e-12;

/** Euclidean distances of rows [B, D], [B]. */
function distance(g: GraphBuilder, a: Wire, b: Wire): Wire {
  const difference = g.sub(a, b);
  return g.sqrt(g.add(g.reduceSum(g.mul(difference, difference), [1]), LEAST));
}
