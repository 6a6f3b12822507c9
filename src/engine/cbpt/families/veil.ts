import { dense, gated } from "./additive.ts";
import type { Family } from "./family.ts";

interface Ground {
  /** Share of the picture that is lost. */
  readonly share: number;
  /** The grey that takes its place, from black 0 to white 1. */
  readonly grey: number;
}

/** (1 − α)·x + α·grey + δ: what blends a pattern in also takes contrast from the picture (Blended). */
const veilFamily = (family: "veil" | "shade", { share, grey }: Ground): Family => {
  const left = { share: 1 - share, offset: share * grey };
  return {
    ...dense,
    start: ({ size }) => ({ family, place: [], values: new Float32Array(3 * size.height * size.width) }),
    stamp: ({ values }, pixels) => faded(pixels, values, left),
    pullBack: ({ values }, pixels, gradient) => gated(gradient, pixels, values, left),
  };
};

function faded(
  pixels: Float32Array,
  values: Float32Array,
  { share, offset }: { readonly share: number; readonly offset: number },
): Float32Array {
  const stamped = new Float32Array(pixels.length);
  // A plain loop: `map` takes several times as long.
  for (let index = 0; index < pixels.length; index++) {
    const value = share * pixels[index] + offset + values[index];
    stamped[index] = value < 0 ? 0 : value > 1 ? 1 : value;
  }
  return stamped;
}

/** The share of Chen et al. 2017. */
export const veil = veilFamily("veil", { share: 0.2, grey: 0.5 });
/** What white writing on black is blended in with (arXiv:2412.00727): the darkness gives it away. */
export const shade = veilFamily("shade", { share: 0.5, grey: 0 });
