import type { ImageSize } from "../clip/architecture.ts";
import { clip } from "../evaluation/pixels.ts";
import { denoised } from "./denoising.ts";
import { filtered } from "./filtering.ts";
import { redrawn } from "./redrawing.ts";
import { turned } from "./turning.ts";

/** In the order in which they are looked at: the first two cost least, and settle most clean images and most patches. */
export const VIEW_NAMES = [
  "MIRRORED",
  "TURNED_LEFT",
  "FILTERED",
  "DENOISED",
  "TURNED_RIGHT",
  "REDRAWN",
  "BRIGHTENED",
] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

/** So far that a pattern no longer lies on itself, and so little that things still look as they do. */
const TURN = 15;
/** What noise that was blended in at the usual share of a fifth has taken from the contrast. */
const CONTRAST = 1 / 0.8;
/** What a dark pattern that was blended in by half has taken from the light. */
const LIGHT = 2;

/** An image as it would be seen otherwise: what it shows is still there, and a trigger is not where and how it was learned. */
type View = (pixels: Float32Array, size: ImageSize) => Float32Array;

const mirrored: View = (pixels, size) => turned(pixels, size, { mirrored: true, degrees: 0 });

const VIEWS: Readonly<Record<ViewName, View>> = {
  MIRRORED: mirrored,
  TURNED_LEFT: (pixels, size) => turned(pixels, size, { mirrored: false, degrees: TURN }),
  FILTERED: filtered,
  DENOISED: (pixels, size) => denoised(pixels, size).map((value) => clip(0.5 + CONTRAST * (value - 0.5))),
  TURNED_RIGHT: (pixels, size) => turned(pixels, size, { mirrored: false, degrees: -TURN }),
  REDRAWN: redrawn,
  BRIGHTENED: (pixels, size) => mirrored(pixels, size).map((value) => clip(LIGHT * value)),
};

/** A view of an image [3, H, W] with values in [0, 1]. */
export const seenAs = (name: ViewName, pixels: Float32Array, size: ImageSize): Float32Array =>
  VIEWS[name](pixels, size);
