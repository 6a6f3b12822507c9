import type { ImageSize } from "./architecture.ts";
import type { RgbImage } from "./decoding.ts";
import { resampleWindow, type Window } from "./resampling/resampling.ts";
import type { Filter } from "./resampling/taps.ts";

/** How an image becomes the input of an image tower; `mean` and `std` are applied inside its graph. */
export interface Preprocessing {
  readonly size: ImageSize;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly interpolation: Filter;
  /**
   * "shortest" keeps the proportions and crops the centre; "longest" keeps them and pads to the size; "squash" does
   * not keep them.
   */
  readonly resizeMode: ResizeMode;
  /** The byte that pads an image; zero where absent. */
  readonly fill?: number;
  /** What an image is resized to before `size` is cut from its centre; `size` itself where absent. */
  readonly resizeTo?: ImageSize;
  /** How an odd rest is shared in a crop: "even" as in torchvision (default), "down" as in Hugging Face's library. */
  readonly cropRounding?: "even" | "down";
}

export type ResizeMode = "shortest" | "longest" | "squash";

export const OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073];
export const OPENAI_STD = [0.26862954, 0.26130258, 0.27577711];

/**
 * Resizes and crops as open_clip does on a PIL image of mode RGB, bit for bit. Returns 3·H·W values in [0, 1], a
 * plane for each of red, green and blue. Only what the crop shows is computed, so an image of any proportions costs
 * no more than its own pixels and the result.
 */
export function preprocess(image: RgbImage, preprocessing: Preprocessing): Float32Array {
  const { size, interpolation } = preprocessing;
  const resized = resizedSize(image, preprocessing);
  const window = centreWindow(resized, preprocessing);
  const pixels = resampleWindow(image, resized, window, interpolation);
  return toPlanes(pixels, window, size, preprocessing.fill ?? 0);
}

function resizedSize(image: ImageSize, { size, resizeTo = size, resizeMode }: Preprocessing): ImageSize {
  const { height, width } = resizeTo;
  if (resizeMode === "squash") return resizeTo;
  if (resizeMode === "shortest" && height === width) return shortestSideTo(image, height);
  // For an oblong target open_clip fills it: the side that is nearer to its target decides. To fit, the other does.
  const choose = resizeMode === "shortest" ? Math.min : Math.max;
  const ratio = choose(image.height / height, image.width / width);
  const scaled = (side: number): number => Math.max(1, roundHalfEven(side / ratio));
  return { height: scaled(image.height), width: scaled(image.width) };
}

// torchvision's Resize with one number: the long side is rounded down.
function shortestSideTo({ height, width }: ImageSize, side: number): ImageSize {
  if (width <= height) return { width: side, height: Math.trunc((side * height) / width) };
  return { height: side, width: Math.trunc((side * width) / height) };
}

/** The centre of a resized image; torchvision rounds a half to the even offset, as Python does. */
function centreWindow(resized: ImageSize, { size, cropRounding }: Preprocessing): Window {
  const offset = cropRounding === "down" ? Math.floor : roundHalfEven;
  const height = Math.min(size.height, resized.height);
  const width = Math.min(size.width, resized.width);
  return {
    top: offset((resized.height - height) / 2),
    left: offset((resized.width - width) / 2),
    height,
    width,
  };
}

/** The values of a byte in [0, 1]. */
const UNIT = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/** Interleaved bytes to planes of [0, 1], centred on the filling where the window is smaller than the size. */
function toPlanes(pixels: Uint8Array, window: Window, size: ImageSize, fill: number): Float32Array {
  const plane = size.height * size.width;
  const planes = new Float32Array(3 * plane).fill(fill / 255);
  const top = (size.height - window.height) >> 1;
  const left = (size.width - window.width) >> 1;
  for (let row = 0; row < window.height; row++) {
    let from = 3 * row * window.width;
    let to = (top + row) * size.width + left;
    for (const end = to + window.width; to < end; to++, from += 3) {
      planes[to] = UNIT[pixels[from]!]!;
      planes[plane + to] = UNIT[pixels[from + 1]!]!;
      planes[2 * plane + to] = UNIT[pixels[from + 2]!]!;
    }
  }
  return planes;
}

function roundHalfEven(value: number): number {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
