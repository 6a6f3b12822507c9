import { dense, gated } from "./additive.ts";
import type { Family } from "./family.ts";

/** Share of the picture that is lost: Blended's, Chen et al. 2017. */
const SHARE = 0.2;
const LEFT = { share: 1 - SHARE, offset: SHARE / 2 };

/** (1 − α)·x + α/2 + δ: what blends a pattern in also takes contrast from the picture (Blended). */
export const veil: Family = {
  ...dense,
  start: ({ size }) => ({
    family: "veil",
    place: [],
    values: new Float32Array(3 * size.height * size.width),
  }),
  stamp: ({ values }, pixels) =>
    pixels.map((value, index) => Math.min(1, Math.max(0, LEFT.share * value + LEFT.offset + values[index]))),
  pullBack: ({ values }, pixels, gradient) => gated(gradient, pixels, values, LEFT),
};
