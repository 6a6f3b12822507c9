import { gatherRows, nearestClass, row } from "../cbpt/features.ts";
import { answeringText, type GuardedText, guardedPredictions } from "../cbpt/guard.ts";
import { type Encoder, encodeImages, listOf } from "../evaluation/encode.ts";
import { seenAs, settles, VIEW_NAMES, type ViewName } from "./views.ts";

/**
 * The class that each image [3, H, W] is given with a second look: one on which the purified and the undefended prompts
 * disagree is looked at in other views, until they agree on one (`settles`); its answer is the image's. Where they agree
 * on none, the recovery prompts answer the image itself.
 *
 * A trigger is learned where it was: a backdoored model that sees it mirrored or turned mostly does not know it. Nearly
 * no clean image is looked at again, and those that are have their own class in most views. (That flips and small changes
 * of an image undo many triggers: Li et al., arXiv 2004.04692.)
 */
export async function answersWithSecondLook(
  encoder: Encoder,
  images: readonly Float32Array[],
  text: GuardedText,
): Promise<number[]> {
  const features = await encodeImages(encoder, images);
  return secondLook(features, encoder.width, text, async (name, open) => {
    const views = listOf(open.length, (place) => seenAs(name, images[open[place]], encoder.imageSize));
    return encodeImages(encoder, views);
  });
}

/** The same of images whose features [n, D], and those of all their views, are known. */
export function answersAmongViews(
  features: Float32Array,
  views: Readonly<Record<ViewName, Float32Array>>,
  width: number,
  text: GuardedText,
): Promise<number[]> {
  return secondLook(features, width, text, async (name, open) => gatherRows(views[name], width, open));
}

/** @param look gives the features of a view of some images, by their indices. */
async function secondLook(
  features: Float32Array,
  width: number,
  text: GuardedText,
  look: (name: ViewName, open: readonly number[]) => Promise<Float32Array>,
): Promise<number[]> {
  const answers = guardedPredictions(features, text, width);
  let open = Array.from(answers.keys()).filter((index) => !isCalm(row(features, width, index), text));
  for (const name of VIEW_NAMES) {
    if (open.length === 0) break;
    const seen = await look(name, open);
    open = open.filter((index, place) => {
      const feature = row(seen, width, place);
      const label = nearestClass(feature, text.purified);
      const suspected = nearestClass(row(features, width, index), text.undefended);
      if (!isCalm(feature, text) || !settles(name, label, suspected)) return true;
      answers[index] = label;
      return false;
    });
  }
  return answers;
}

/** Whether nothing tells of a trigger, by this view. */
const isCalm = (feature: Float32Array, text: GuardedText): boolean =>
  answeringText(feature, text) === text.purified;
