import type { ImageSize } from "../../clip/architecture.ts";
import { dense, grating } from "./additive.ts";
import type { Family, FamilyName, FamilyTrigger } from "./family.ts";
import { patch } from "./patch.ts";
import { shade, veil } from "./veil.ts";
import { jitter, warp } from "./warp.ts";

export { FAMILY_NAMES, type Family, type FamilyName, type FamilyTrigger, type Seed } from "./family.ts";

/** Every family by its name. A new one is its file, its name in `family.ts` and its line here. */
export const FAMILIES: Readonly<Record<FamilyName, Family>> = {
  dense,
  grating,
  patch,
  veil,
  shade,
  warp,
  jitter,
};

/** x + strength · (triggered x − x) in [0, 1]: the trigger as it is, weaker or stronger. */
export function stampFamily(
  trigger: FamilyTrigger,
  pixels: Float32Array,
  size: ImageSize,
  strength = 1,
): Float32Array {
  const stamped = FAMILIES[trigger.family].stamp(trigger, pixels, size);
  if (strength === 1) return stamped;
  for (let index = 0; index < stamped.length; index++) {
    const moved = pixels[index] + strength * (stamped[index] - pixels[index]);
    stamped[index] = moved < 0 ? 0 : moved > 1 ? 1 : moved;
  }
  return stamped;
}
