import type { ImageSize } from "./architecture.ts";
import { type ConfigSection, configSection } from "./config-section.ts";
import type { RgbImage } from "./decoding.ts";
import { type Filter, resampleWindow, type Window } from "./resampling.ts";

/** How an image becomes the input of an image tower; `mean` and `std` are applied inside its graph. */
export interface Preprocessing {
  readonly size: ImageSize;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly interpolation: Filter;
  /** "shortest" keeps the proportions and crops the centre; "squash" does not keep them. */
  readonly resizeMode: "shortest" | "squash";
}

const OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073];
const OPENAI_STD = [0.26862954, 0.26130258, 0.27577711];

/**
 * Reads `preprocess_cfg` of the parsed `open_clip_config.json`; absent values are OpenAI's, and the size is always
 * that of the tower. Throws INVALID_CHECKPOINT or UNSUPPORTED_ARCHITECTURE naming the key.
 */
export function parsePreprocessing(json: unknown, size: ImageSize): Preprocessing {
  const root = configSection(json, "");
  const config = root.has("preprocess_cfg")
    ? root.section("preprocess_cfg")
    : configSection({}, "preprocess_cfg");
  config.expect("mode", "RGB");
  const preprocessing = {
    size,
    mean: config.numbers("mean", OPENAI_MEAN),
    std: config.numbers("std", OPENAI_STD, (value) => value > 0),
    interpolation: parseInterpolation(config),
    resizeMode: parseResizeMode(config),
  };
  config.ignore("size", "fill_color");
  config.rejectRest();
  return preprocessing;
}

function parseInterpolation(config: ConfigSection): Filter {
  const name = config.text("interpolation", "bicubic");
  // "random" varies the filter in training only.
  if (name === "bicubic" || name === "random") return "bicubic";
  if (name === "bilinear") return "bilinear";
  throw config.unsupported("interpolation", JSON.stringify(name));
}

function parseResizeMode(config: ConfigSection): Preprocessing["resizeMode"] {
  const name = config.text("resize_mode", "shortest");
  if (name === "shortest" || name === "squash") return name;
  throw config.unsupported("resize_mode", JSON.stringify(name));
}

/**
 * Resizes and crops as open_clip does on a PIL image of mode RGB, bit for bit. Returns 3·H·W values in [0, 1], a
 * plane for each of red, green and blue. Only what the crop shows is computed, so an image of any proportions costs
 * no more than its own pixels and the result.
 */
export function preprocess(image: RgbImage, preprocessing: Preprocessing): Float32Array {
  const { size, interpolation } = preprocessing;
  const resized = resizedSize(image, preprocessing);
  const window = centreWindow(resized, size);
  const pixels = resampleWindow(image, resized, window, interpolation);
  return toPlanes(pixels, window, size);
}

function resizedSize(image: ImageSize, { size, resizeMode }: Preprocessing): ImageSize {
  if (resizeMode === "squash") return size;
  if (size.height === size.width) return shortestSideTo(image, size.height);
  // For an oblong target open_clip fills it: the side that is nearer to its target decides.
  const ratio = Math.min(image.height / size.height, image.width / size.width);
  return { height: roundHalfEven(image.height / ratio), width: roundHalfEven(image.width / ratio) };
}

// torchvision's Resize with one number: the long side is rounded down.
function shortestSideTo({ height, width }: ImageSize, side: number): ImageSize {
  if (width <= height) return { width: side, height: Math.trunc((side * height) / width) };
  return { height: side, width: Math.trunc((side * width) / height) };
}

/** The centre of a resized image; torchvision rounds a half to the even offset, as Python does. */
function centreWindow(resized: ImageSize, size: ImageSize): Window {
  const height = Math.min(size.height, resized.height);
  const width = Math.min(size.width, resized.width);
  return {
    top: roundHalfEven((resized.height - height) / 2),
    left: roundHalfEven((resized.width - width) / 2),
    height,
    width,
  };
}

/** Interleaved bytes to planes of [0, 1], centred on black where rounding left the window a pixel too small. */
function toPlanes(pixels: Uint8Array, window: Window, size: ImageSize): Float32Array {
  const plane = size.height * size.width;
  const planes = new Float32Array(3 * plane);
  const top = (size.height - window.height) >> 1;
  const left = (size.width - window.width) >> 1;
  for (let row = 0; row < window.height; row++) {
    for (let column = 0; column < window.width; column++) {
      const from = 3 * (row * window.width + column);
      const to = (top + row) * size.width + left + column;
      for (let channel = 0; channel < 3; channel++) {
        planes[channel * plane + to] = pixels[from + channel]! / 255;
      }
    }
  }
  return planes;
}

function roundHalfEven(value: number): number {
  const nearest = Math.round(value);
  return nearest - value === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}
