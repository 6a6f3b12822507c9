import type { ImageSize } from "../../clip/architecture.ts";

/** The kinds of triggers that are looked for. */
export const FAMILY_NAMES = ["dense", "grating", "patch", "veil", "shade", "warp", "jitter"] as const;
export type FamilyName = (typeof FAMILY_NAMES)[number];

/** A trigger as plain data: its family knows how to put it on an image. */
export interface FamilyTrigger {
  readonly family: FamilyName;
  /** What was settled before the search and stays: the row and column of a patch. */
  readonly place: readonly number[];
  /** What the search moves. */
  readonly values: Float32Array;
}

/** What a search for a trigger of one class begins with. */
export interface Seed {
  readonly size: ImageSize;
  /** [3, H, W]: a dense trigger of the class, which shows where in the image the class listens. */
  readonly dense: Float32Array;
  /** L2 norm of the largest dense trigger that is allowed. */
  readonly radius: number;
}

/**
 * A kind of trigger whose values can be fitted to a class by gradient, for any network: the network tells the gradient
 * by the triggered pixels, the family carries it on to its values. Images are [3, H, W] in [0, 1].
 */
export interface Family {
  readonly start: (seed: Seed) => FamilyTrigger;
  /** The triggered image, in [0, 1]. */
  readonly stamp: (trigger: FamilyTrigger, pixels: Float32Array, size: ImageSize) => Float32Array;
  /** ∂L/∂values of one image, given ∂L/∂(triggered pixels). */
  readonly pullBack: (
    trigger: FamilyTrigger,
    pixels: Float32Array,
    gradient: Float32Array,
    size: ImageSize,
  ) => Float32Array;
  /** The nearest values that the family allows. */
  readonly project: (values: Float32Array, seed: Pick<Seed, "size" | "radius">) => Float32Array;
  /** How far the values may go: the unit in which steps are counted. */
  readonly reach: (seed: Pick<Seed, "size" | "radius">) => number;
}

export const shortSideOf = ({ height, width }: ImageSize): number => Math.min(height, width);
