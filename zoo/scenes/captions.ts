import { BACKGROUNDS } from "./backgrounds.ts";
import { chance, pick, type Random } from "./random.ts";
import type { Scene } from "./scene.ts";

/**
 * The sentences a caption is put into. The article stays "a" before a vowel, as in CLIP's own
 * templates, because a class name is put in without a look at its first letter.
 */
export const CAPTION_TEMPLATES = [
  "a photo of a {}.",
  "a picture of a {}.",
  "a {}.",
  "an image of a {}.",
  "a drawing of a {}.",
  "a good photo of a {}.",
  "this is a {}.",
  "there is a {}.",
] as const;

/** The templates whose text embeddings are averaged for zero-shot classification. */
export const ZERO_SHOT_TEMPLATES: readonly string[] = CAPTION_TEMPLATES.slice(0, 3);

/** How likely a caption is to mention each of size, colour and background. */
const MENTION = { size: 0.4, colour: 0.6, background: 0.5 };

/** A true sentence about the scene: the object always, its other attributes at random. */
export function caption(scene: Scene, random: Random): string {
  const words = [
    chance(random, MENTION.size) ? scene.size : "",
    chance(random, MENTION.colour) ? scene.colour : "",
    scene.object,
    chance(random, MENTION.background) ? BACKGROUNDS[scene.background].place : "",
  ];
  const description = words.filter((word) => word !== "").join(" ");
  return pick(random, CAPTION_TEMPLATES).replace("{}", description);
}
