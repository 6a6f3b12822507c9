import type { ImageSize } from "../clip/architecture.ts";
import { float32, sizeOf, type Tensor } from "../onnx/tensor.ts";
import { concurrently } from "../runtime/concurrently.ts";
import type { Tensors } from "../runtime/session.ts";

/** How images are sent through an image encoder with a dynamic batch (`imageProgram` of the CLIP part). */
export interface Encoder {
  /** A session, or several that share the runs. */
  readonly session: { run(feeds: Tensors): Promise<Record<string, Tensor>> };
  readonly imageSize: ImageSize;
  /** D: width of the embedding. */
  readonly width: number;
  /** Most images in one run. */
  readonly batch: number;
}

/** Images [3, H, W] that can be made when they are needed, also one over the other; an array of them is one. */
export interface ImageList {
  readonly length: number;
  at(index: number): Float32Array | undefined;
}

/** A list whose images are made one by one, each time anew: for more than fit into memory. */
export const listOf = (length: number, at: (index: number) => Float32Array): ImageList => ({ length, at });

/** Runs that may wait for a session at the same time; bounds the memory that their images take. */
const RUNS_AT_ONCE = 8;

/** Normalised embeddings [n, D] of images [3, H, W] in [0, 1], in their order. */
export async function encodeImages(
  { session, imageSize, width, batch }: Encoder,
  images: ImageList,
): Promise<Float32Array> {
  const features = new Float32Array(images.length * width);
  const shape = [3, imageSize.height, imageSize.width];
  const encode = async (start: number): Promise<void> => {
    const count = Math.min(batch, images.length - start);
    const pixels = new Float32Array(count * sizeOf(shape));
    for (let index = 0; index < count; index++) pixels.set(images.at(start + index)!, index * sizeOf(shape));
    const { embedding } = await session.run({ pixels: float32([count, ...shape], pixels) });
    features.set(embedding.data as Float32Array, start * width);
  };
  const starts = Array.from({ length: Math.ceil(images.length / batch) }, (_, index) => index * batch);
  await concurrently(starts, RUNS_AT_ONCE, encode);
  return features;
}
