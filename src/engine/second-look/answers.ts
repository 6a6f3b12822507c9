import { nearestClass, row } from "../cbpt/features.ts";
import { answeringText, type GuardedText, guardedPredictions } from "../cbpt/guard.ts";
import { type Encoder, encodeImages, type ImageList, listOf } from "../evaluation/encode.ts";
import { seenAs, settles, VIEW_NAMES } from "./views.ts";

/**
 * The class that each image [3, H, W] is given with a second look: one on which the purified and the undefended prompts
 * disagree is looked at in other views, until they agree on one (`settles`); its answer is the image's. Where they agree
 * on none, the recovery prompts answer the image itself.
 *
 * A trigger is learned as it was planted: a backdoored model that sees it mirrored, filtered or turned mostly does not
 * know it. Nearly no clean image is looked at again, and those that are have their own class in most views. (That flips
 * and small changes of an image undo many triggers: Li et al., arXiv 2004.04692.)
 *
 * @param features of the images, [n, D], where they are known already.
 */
export async function answersWithSecondLook(
  encoder: Encoder,
  images: ImageList,
  text: GuardedText,
  features?: Float32Array,
): Promise<number[]> {
  const { width, imageSize } = encoder;
  const first = features ?? (await encodeImages(encoder, images));
  const answers = guardedPredictions(first, text, width);
  let open = Array.from(answers.keys()).filter((index) => !isCalm(row(first, width, index), text));
  for (const name of VIEW_NAMES) {
    if (open.length === 0) break;
    const views = listOf(open.length, (place) => seenAs(name, images.at(open[place])!, imageSize));
    const seen = await encodeImages(encoder, views);
    open = open.filter((index, place) => {
      const feature = row(seen, width, place);
      const label = nearestClass(feature, text.purified);
      const suspected = nearestClass(row(first, width, index), text.undefended);
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
