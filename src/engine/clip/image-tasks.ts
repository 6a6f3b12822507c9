/** Tasks for a `WorkerPool`: what is done to an image before a model sees it, off the thread that serves. */

import { seenAs, type ViewName } from "../second-look/views.ts";
import { decodeImage, type ImageLimits } from "./decoding.ts";
import { type Preprocessing, preprocess } from "./preprocessing.ts";

export interface ImageInput {
  /** The encoded image. */
  readonly bytes: Uint8Array;
  readonly preprocessing: Preprocessing;
  readonly limits?: ImageLimits;
  /** As it is when absent. */
  readonly view?: ViewName;
}

/**
 * Decodes and preprocesses: 3·H·W values in [0, 1]. Across threads an ImageError arrives as an AppError with the
 * same code, message and `details.code`.
 */
export async function prepareImage({
  bytes,
  preprocessing,
  limits,
  view,
}: ImageInput): Promise<Float32Array> {
  const pixels = preprocess(await decodeImage(bytes, limits), preprocessing);
  return view ? seenAs(view, pixels, preprocessing.size) : pixels;
}
