import type { Wire } from "../onnx/graph.ts";
import { real, type ValuesOf } from "../parameters.ts";
import type { Random } from "../random.ts";
import type { Learner } from "../training/learner.ts";
import { contrastiveLoss, partnerEntropy } from "../training/loss.ts";
import type { Pair } from "../training/pairs.ts";
import { augmentCaption } from "./caption-augmentation.ts";
import { type DefenceSize, defineDefence } from "./defence.ts";
import { FINE_TUNING_PARAMETERS, openFineTuning, type Recipe } from "./fine-tuning.ts";
import { planFineTuning } from "./fine-tuning-plan.ts";
import { augmentImage } from "./image-augmentation.ts";

const PARAMETERS = {
  ...FINE_TUNING_PARAMETERS,
  selfSupervision: real(1, [0, 100], "Weight of finding augmented copies; CLIP's own loss has weight 1"),
  captionRate: real(0.1, [0, 1], "Share of a caption's words that its augmentation changes"),
};

function recipeOf({ checkpoint }: DefenceSize, parameters: ValuesOf<typeof PARAMETERS>): Recipe {
  const { imageSize } = checkpoint.architecture.image;
  return {
    name: "cleanclip",
    parameters,
    loss: cleanclipLoss(parameters.selfSupervision),
    alter: ({ pixels, caption }: Pair, random: Random) => ({
      pixels: augmentImage(pixels, imageSize, random),
      caption: augmentCaption(caption, parameters.captionRate, random),
    }),
  };
}

/**
 * Fine-tuning that also learns each modality by itself, which loosens what a backdoor has tied together: an image is to
 * find its own augmented copy among those of the batch, and so is a caption.
 */
export const cleanclip = defineDefence({
  name: "cleanclip",
  paper: "Bansal et al. 2023, arXiv:2303.03323",
  about:
    "Trains all weights further with CLIP's loss, and to find each image's and each caption's own augmented copy",
  makes: "weights",
  parameters: PARAMETERS,
  open: (task, parameters) => openFineTuning(task, parameters, recipeOf(task, parameters)),
  plan: (size, parameters) => planFineTuning(size, parameters, recipeOf(size, parameters)),
});

/**
 * L = L_CLIP + w · ½ [CE(image → augmented image) + CE(caption → augmented caption)]. The first half of the rows are
 * the pairs, the second half their augmented copies.
 */
export const cleanclipLoss =
  (weight: number) =>
  ({ g, scale }: Learner, images: Wire, texts: Wire): Wire => {
    const pairs = images.shape[0] / 2;
    const [image, augmentedImage] = g.split(images, [pairs, pairs], 0);
    const [text, augmentedText] = g.split(texts, [pairs, pairs], 0);
    const own = g.add(
      partnerEntropy(g, image, augmentedImage, scale),
      partnerEntropy(g, text, augmentedText, scale),
    );
    return g.add(contrastiveLoss(g, image, text, scale), g.mul(own, weight / 2));
  };
