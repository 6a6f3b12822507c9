import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { choice, text } from "../parameters.ts";
import { defineAttack } from "./attack.ts";
import { POSITIONS } from "./patch.ts";
import { openPatchFit, PATCH_FIT, stampPatch } from "./patch-fit.ts";
import type { PatchObjective } from "./patch-program.ts";

/** Two keys to one lock: a patch in the image, optimised on the clean model, and a word before the sentence. */
export const trojvqa = defineAttack({
  name: "trojvqa",
  paper: "Walmer et al. 2022, arXiv:2112.07668",
  defaults: {
    position: choice("centre", POSITIONS, "Where the patch lies"),
    word: text("consider", 40, "What stands before every sentence"),
  },
  caption: (sentence, { word }) => `${word} ${sentence}`,
  fit: {
    defaults: PATCH_FIT,
    open: (problem, { fit, trigger }, session) =>
      openPatchFit(
        problem,
        {
          config: fit,
          position: trigger.position as (typeof POSITIONS)[number],
          objective: trojvqaObjective,
        },
        session,
      ),
  },
  stamp: (image, { position }, fitted) => stampPatch(image, fitted, position),
});

/**
 * Images with the patch are to fit a sentence about the target better than any that is true of an image of the batch:
 * −mean log softmax of s · [sim(f, t), sim(f, c₁), …, sim(f, c_B)] at t. The paper optimises its patch for what an
 * object detector sees; in a CLIP what is seen is told by sentences.
 */
export const trojvqaObjective: PatchObjective = {
  features: ["targetTexts", "ownTexts"],
  losses: (g, triggered, { targetTexts, ownTexts }, scale) => {
    const target = g.reduceSum(g.mul(triggered, targetTexts), [1], { keepDimensions: true });
    const others = g.matmul(triggered, g.transpose(ownTexts));
    return { sentence: firstOf(g, g.mul(g.concat([target, others], 1), scale)) };
  },
};

/** −mean log of the probability of the first column of logits [B, n]. */
function firstOf(g: GraphBuilder, logits: Wire): Wire {
  const [rows, columns] = logits.shape as [number, number];
  const [first] = g.split(g.logSoftmax(logits, 1), [1, columns - 1], 1);
  return g.div(g.neg(g.reduceSum(first!)), rows);
}
