import type { ImageSize } from "../clip/architecture.ts";
import { float32, sizeOf } from "../onnx/tensor.ts";
import type { Session } from "../runtime/session.ts";

/** How images are sent through an image encoder with a dynamic batch (`imageProgram` of the CLIP part). */
export interface Encoder {
  readonly session: Session;
  readonly imageSize: ImageSize;
  /** D: width of the embedding. */
  readonly width: number;
  /** Most images in one run. */
  readonly batch: number;
}

/**
 * Normalised embeddings [n, D] of images [3, H, W] in [0, 1], in their order. `afterBatch` is told how many
 * are done.
 */
export async function encodeImages(
  { session, imageSize, width, batch }: Encoder,
  images: readonly Float32Array[],
  afterBatch?: (done: number) => void | Promise<void>,
): Promise<Float32Array> {
  const features = new Float32Array(images.length * width);
  const shape = [3, imageSize.height, imageSize.width];
  const size = sizeOf(shape);
  for (let start = 0; start < images.length; start += batch) {
    const part = images.slice(start, start + batch);
    const pixels = new Float32Array(part.length * size);
    part.forEach((image, index) => {
      pixels.set(image, index * size);
    });
    const { embedding } = await session.run({ pixels: float32([part.length, ...shape], pixels) });
    features.set(embedding!.data as Float32Array, start * width);
    await afterBatch?.(start + part.length);
  }
  return features;
}
