import type { ImageSize } from "../architecture.ts";
import type { RgbImage } from "../decoding.ts";
import { CHANNELS, resampleColumns, resampleRows } from "./kernels.ts";
import { type Filter, knownTaps, type Taps } from "./taps.ts";

/** A rectangle in the resized image, in its pixels. */
export interface Window extends ImageSize {
  readonly top: number;
  readonly left: number;
}

/**
 * The part `window` of the image resized to `resized`, as interleaved bytes. The filter is widened by the scale when
 * shrinking (antialiasing); rows are resampled first and rounded to bytes, then columns, with weights in fixed point:
 * bit for bit what Pillow's resize gives for an RGB image.
 */
export function resampleWindow(
  image: RgbImage,
  resized: ImageSize,
  window: Window,
  filter: Filter,
): Uint8Array {
  const across = knownTaps(image.width, resized.width, window.left, window.width, filter);
  const down = knownTaps(image.height, resized.height, window.top, window.height, filter);
  const top = down.begin;
  const rows = down.end - top;
  const { data } = image;
  const inputBytes = image.width * CHANNELS;
  const read = data.subarray(top * inputBytes, (top + rows) * inputBytes);
  const narrow = isWhole(window.width, image.width, across)
    ? read
    : resampleRows(read, image.width, across, rows);
  if (isWhole(window.height, rows, down)) return narrow;
  return resampleColumns(narrow, window.width * CHANNELS, down, top);
}

/** Whether a side keeps its size, whole. */
const isWhole = (length: number, inputLength: number, { isCopy }: Taps): boolean =>
  length === inputLength && isCopy;
