import { nearestClass, row } from "../cbpt/features.ts";
import { answeringText, type GuardedText, guardedPredictions } from "../cbpt/guard.ts";
import { type Encoder, encodeImages, listOf } from "../evaluation/encode.ts";
import { seenAs, VIEW_NAMES } from "./views.ts";

/**
 * The class that each image [3, H, W] is given with a second look: one on which the purified and the undefended prompts
 * disagree is looked at in other views, until they agree on one; its answer is the image's. Where they agree on none,
 * the recovery prompts answer the image itself.
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
  const answers = guardedPredictions(features, text, encoder.width);
  let open = Array.from(images.keys()).filter((index) => !isCalm(row(features, encoder.width, index), text));
  for (const name of VIEW_NAMES) {
    if (open.length === 0) break;
    const looked = open;
    const views = listOf(looked.length, (index) => seenAs(name, images[looked[index]], encoder.imageSize));
    const seen = await encodeImages(encoder, views);
    open = looked.filter((index, place) => {
      const feature = row(seen, encoder.width, place);
      if (!isCalm(feature, text)) return true;
      answers[index] = nearestClass(feature, text.purified);
      return false;
    });
  }
  return answers;
}

/** Whether nothing tells of a trigger, by this view. */
const isCalm = (feature: Float32Array, text: GuardedText): boolean =>
  answeringText(feature, text) === text.purified;
