import { float32 } from "../onnx/tensor.ts";
import type { Session } from "../runtime/session.ts";

/** How images are sent through an image encoder with a dynamic batch (`imageProgram` of the CLIP part). */
export interface Encoder {
  readonly session: Session;
  /** Side of the model's images in pixels. */
  readonly side: number;
  /** D: width of the embedding. */
  readonly width: number;
  /** Most images in one run. */
  readonly batch: number;
}

/**
 * Normalised embeddings [n, D] of images [3, side, side] in [0, 1], in their order. `afterBatch` is told how many
 * are done.
 */
export async function encodeImages(
  { session, side, width, batch }: Encoder,
  images: readonly Float32Array[],
  afterBatch?: (done: number) => void | Promise<void>,
): Promise<Float32Array> {
  const features = new Float32Array(images.length * width);
  const size = 3 * side * side;
  for (let start = 0; start < images.length; start += batch) {
    const part = images.slice(start, start + batch);
    const pixels = new Float32Array(part.length * size);
    part.forEach((image, index) => {
      pixels.set(image, index * size);
    });
    const { embedding } = await session.run({ pixels: float32([part.length, 3, side, side], pixels) });
    features.set(embedding!.data as Float32Array, start * width);
    await afterBatch?.(start + part.length);
  }
  return features;
}
