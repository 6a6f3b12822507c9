import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { real, type ValuesOf } from "../parameters.ts";
import type { Learner } from "../training/learner.ts";
import { contrastiveLoss } from "../training/loss.ts";
import { defineDefence } from "./defence.ts";
import { FINE_TUNING_PARAMETERS, openFineTuning, type Recipe } from "./fine-tuning.ts";
import { planFineTuning } from "./fine-tuning-plan.ts";

const PARAMETERS = {
  ...FINE_TUNING_PARAMETERS,
  perturbation: real(0.5, [0, 100], "Weight of the distance from the suspect model's embeddings"),
  threshold: real(2.15, [0, 4], "Mean squared distance beyond which nothing drives them further"),
};

const recipeOf = (parameters: ValuesOf<typeof PARAMETERS>): Recipe => ({
  name: "par",
  parameters,
  loss: parLoss(parameters),
  recalls: true,
});

/** Perturb and recover. */
export const par = defineDefence({
  name: "par",
  paper: "Singh et al. 2024, arXiv:2412.00727",
  about:
    "Trains all weights further with CLIP's loss while it drives the embeddings away from those of the suspect model, up to a distance",
  makes: "weights",
  parameters: PARAMETERS,
  open: (task, parameters) => openFineTuning(task, parameters, recipeOf(parameters)),
  plan: (size, parameters) => planFineTuning(size, parameters, recipeOf(parameters)),
});

/**
 * L = L_CLIP − w · (d_images + d_texts), d = mean over the batch of ‖e − e⁰‖², the squared distance of an embedding from
 * the suspect model's. Beyond the threshold a distance counts as the threshold, so that it has no gradient. The inputs
 * `suspectImages` and `suspectTexts` [N, D] are the suspect model's embeddings.
 */
export const parLoss =
  ({ perturbation, threshold }: { readonly perturbation: number; readonly threshold: number }) =>
  ({ g, scale }: Learner, images: Wire, texts: Wire): Wire => {
    const distance = (now: Wire, name: string) =>
      g.clip(meanSquaredDistance(g, now, g.input(name, now.shape)), 0, threshold);
    const moved = g.add(distance(images, "suspectImages"), distance(texts, "suspectTexts"));
    return g.sub(contrastiveLoss(g, images, texts, scale), g.mul(moved, perturbation));
  };

function meanSquaredDistance(g: GraphBuilder, a: Wire, b: Wire): Wire {
  const difference = g.sub(a, b);
  return g.div(g.reduceSum(g.mul(difference, difference)), a.shape[0]);
}
