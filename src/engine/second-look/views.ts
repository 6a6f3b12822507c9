import type { ImageSize } from "../clip/architecture.ts";
import { clip } from "../evaluation/pixels.ts";
import { denoised } from "./denoising.ts";
import { filtered } from "./filtering.ts";
import { redrawn } from "./redrawing.ts";
import { turned } from "./turning.ts";

/** In the order in which they are looked at: the mirrored image costs least, and settles most clean ones and most patches. */
export const VIEW_NAMES = [
  "MIRRORED",
  "FILTERED",
  "DENOISED",
  "REDRAWN",
  "TURNED_LEFT",
  "TURNED_RIGHT",
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
  FILTERED: filtered,
  DENOISED: (pixels, size) => denoised(pixels, size).map((value) => clip(0.5 + CONTRAST * (value - 0.5))),
  REDRAWN: redrawn,
  TURNED_LEFT: (pixels, size) => turned(pixels, size, { mirrored: false, degrees: TURN }),
  TURNED_RIGHT: (pixels, size) => turned(pixels, size, { mirrored: false, degrees: -TURN }),
  BRIGHTENED: (pixels, size) => mirrored(pixels, size).map((value) => clip(LIGHT * value)),
};

/** A view of an image [3, H, W] with values in [0, 1]. */
export const seenAs = (name: ViewName, pixels: Float32Array, size: ImageSize): Float32Array =>
  VIEWS[name](pixels, size);

/**
 * Whether an image is given the class that both prompts see in a view of it. A view that changes what is seen can leave
 * enough of a trigger to mislead both (turned Blended noise does in 1.5 %), so it says nothing for the class that is
 * suspected: the one that the undefended prompts see in the image itself. A mirrored image looks as likely as the image.
 */
export const settles = (name: ViewName, label: number, suspected: number): boolean =>
  name === "MIRRORED" || label !== suspected;
