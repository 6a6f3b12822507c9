import { readFile } from "node:fs/promises";
import { shotOf } from "../../engine/cbpt/byte-shot.ts";
import type { Shot } from "../../engine/cbpt/problem.ts";
import type { Checkpoint } from "../../engine/clip/checkpoint.ts";
import { decodeImage } from "../../engine/clip/decoding.ts";
import { preprocess } from "../../engine/clip/preprocessing.ts";
import { AppError } from "../../errors.ts";
import type { LabelledImage } from "./spec.ts";

/** Pixels [3, H, W] in [0, 1] of a stored image. Fails with VALIDATION_FAILED that says which image and why. */
export async function loadImage(
  checkpoint: Checkpoint,
  { blob }: LabelledImage,
  index: number,
): Promise<Float32Array> {
  try {
    return preprocess(await decodeImage(await readFile(blob)), checkpoint.preprocessing);
  } catch (cause) {
    const reason = cause instanceof AppError ? cause.message : "It cannot be read.";
    throw new AppError(
      "VALIDATION_FAILED",
      `Image ${index} cannot be used. ${reason}`,
      { image: index },
      { cause },
    );
  }
}

/** All of them, in their order. */
export async function loadShots(checkpoint: Checkpoint, images: readonly LabelledImage[]) {
  const shots: Shot[] = [];
  for (const [index, image] of images.entries())
    shots.push(shotOf(await loadImage(checkpoint, image, index), image.label));
  return shots;
}
