import type { PlanarImage } from "../attacks/attack.ts";
import type { ImageSize } from "../clip/architecture.ts";
import type { Random } from "../random.ts";
import { pick } from "../training/pairs.ts";
import { OPERATIONS, type OperationName } from "./image-operations.ts";

/**
 * The policies that AutoAugment found for ImageNet (Cubuk et al. 2019, arXiv:1805.09501, table 9), one on each line: two
 * operations, each with its probability and its magnitude, from 0 to 9, where it has one.
 */
const TABLE = `
  posterise 0.4 8, rotate 0.6 9
  solarise 0.6 5, stretch 0.6
  equalise 0.8, equalise 0.6
  posterise 0.6 7, posterise 0.6 6
  equalise 0.4, solarise 0.2 4
  equalise 0.4, rotate 0.8 8
  solarise 0.6 3, equalise 0.6
  posterise 0.8 5, equalise 1
  rotate 0.2 3, solarise 0.6 8
  equalise 0.6, posterise 0.4 6
  rotate 0.8 8, saturate 0.4 0
  rotate 0.4 9, equalise 0.6
  equalise 0, equalise 0.8
  invert 0.6, equalise 1
  saturate 0.6 4, contrast 1 8
  rotate 0.8 8, saturate 1 2
  saturate 0.8 8, solarise 0.8 7
  sharpen 0.4 7, invert 0.6
  shear 0.6 5, equalise 1
  saturate 0.4 0, equalise 0.6
  equalise 0.4, solarise 0.2 4
  solarise 0.6 5, stretch 0.6
  invert 0.6, equalise 1
  saturate 0.6 4, contrast 1 8
  equalise 0.8, equalise 0.6`;

interface Step {
  readonly operation: OperationName;
  readonly probability: number;
  /** 0 to 1 */
  readonly strength: number;
}

export const POLICIES: readonly (readonly Step[])[] = TABLE.trim()
  .split("\n")
  .map((line) => line.split(",").map(readStep));

function readStep(text: string): Step {
  const [operation, probability, magnitude = 0] = text.trim().split(" ");
  return {
    operation: operation as OperationName,
    probability: Number(probability),
    strength: Number(magnitude) / 9,
  };
}

/** The bytes [3, H, W] of an image after one policy at random. */
export function augmentImage(pixels: Uint8Array, { height, width }: ImageSize, random: Random): Uint8Array {
  let image: PlanarImage = { height, width, data: Float32Array.from(pixels, (value) => value / 255) };
  for (const { operation, probability, strength } of pick(POLICIES, random)) {
    const [applied, sign] = [random.uniform() < probability, random.uniform() < 0.5 ? -1 : 1];
    if (applied) image = clipped(OPERATIONS[operation](image, strength, sign));
  }
  return Uint8Array.from(image.data, (value) => Math.round(value * 255));
}

const clipped = (image: PlanarImage): PlanarImage => ({
  ...image,
  data: image.data.map((value) => Math.min(1, Math.max(0, value))),
});
