import { row } from "../cbpt/features.ts";
import { type GuardedText, guardedPredictions, isDoubted } from "../cbpt/guard.ts";
import { score } from "../clip/zero-shot.ts";
import { type Encoder, encodeImages, type ImageList, listOf } from "../evaluation/encode.ts";
import { Evidence, type Sighting, sightOf } from "./evidence.ts";
import { seenAs, VIEW_NAMES } from "./views.ts";

/** What the probabilities that prompts see are made with. */
export interface ScalingEncoder extends Encoder {
  readonly logitScale: number;
}

/**
 * The class that each image [3, H, W] is given with a second look: one on which the purified and the undefended prompts
 * disagree, or that they give a class which is suspected, is looked at in other views, until these speak for a class
 * (`Evidence`). Where they speak for none, the image is answered as at one look: by the recovery prompts where the
 * others disagree.
 *
 * A trigger is learned as it was planted: a backdoored model that sees it mirrored, filtered or turned mostly does not
 * know it. Few clean images are looked at again, and those that are have their own class in most views. (That flips
 * and small changes of an image undo many triggers: Li et al., arXiv 2004.04692.)
 *
 * @param features of the images, [n, D], where they are known already.
 */
export async function answersWithSecondLook(
  encoder: ScalingEncoder,
  images: ImageList,
  text: GuardedText,
  features?: Float32Array,
): Promise<number[]> {
  const { width, imageSize, logitScale } = encoder;
  const first = features ?? (await encodeImages(encoder, images));
  const answers = guardedPredictions(first, text, width);
  const seen = (all: Float32Array, place: number) => sightingOf(row(all, width, place), text, logitScale);
  let open = Array.from(answers.keys()).flatMap((index) => {
    const { undefended, purified } = seen(first, index);
    if (!isDoubted(text, undefended.label, purified.label)) return [];
    return [{ index, atOneLook: answers[index], evidence: new Evidence<number>(undefended.label) }];
  });
  for (const name of VIEW_NAMES) {
    if (open.length === 0) break;
    const views = listOf(open.length, (place) => seenAs(name, images.at(open[place].index)!, imageSize));
    const viewed = await encodeImages(encoder, views);
    open = open.filter(({ index, atOneLook, evidence }, place) => {
      const sighting = seen(viewed, place);
      const isSettled = evidence.add(sighting, sighting.purified.label);
      answers[index] = evidence.witness ?? atOneLook;
      return !isSettled;
    });
  }
  return answers;
}

const sightingOf = (feature: Float32Array, text: GuardedText, scale: number): Sighting => ({
  undefended: sightOf(score(feature, text.undefended, scale)),
  purified: sightOf(score(feature, text.purified, scale)),
});
