import type { ImageSize } from "../../clip/architecture.ts";
import { dense } from "./additive.ts";
import type { Family } from "./family.ts";

/** Most cycles per side: SIG has six, stripes in the literature eight. */
const CYCLES = 8;
/** How much larger than a dense trigger's the norm may be: large but simple is what a dense search misses. */
const LARGER = 4;

/** x + δ where δ has low spatial frequencies only, in a larger ball (SIG, stripes, triangles). */
export const waves: Family = {
  ...dense,
  start: ({ size }) => ({
    family: "waves",
    place: [],
    values: new Float32Array(3 * size.height * size.width),
  }),
  project: (values, { size, radius }) =>
    dense.project(smooth(values, size), { size, radius: LARGER * radius }),
  reach: ({ radius }) => LARGER * radius,
};

/** The part of [3, H, W] with at most CYCLES cycles per side in either direction. */
function smooth(values: Float32Array, { height, width }: ImageSize): Float32Array {
  const [down, across] = [lowPass(height), lowPass(width)];
  const lines = new Float32Array(values.length);
  const result = new Float32Array(values.length);
  for (let plane = 0; plane < values.length; plane += height * width) {
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        let sum = 0;
        for (let other = 0; other < width; other++)
          sum += across[Math.abs(column - other)] * values[plane + row * width + other];
        lines[plane + row * width + column] = sum;
      }
    for (let row = 0; row < height; row++)
      for (let other = 0; other < height; other++) {
        const weight = down[Math.abs(row - other)];
        for (let column = 0; column < width; column++)
          result[plane + row * width + column] += weight * lines[plane + other * width + column];
      }
  }
  return result;
}

/** The projection onto low frequencies as weights by distance: (1 + 2·Σ_{f=1}^{CYCLES} cos 2πfd/n) / n. */
function lowPass(count: number): Float64Array {
  const most = Math.min(CYCLES, Math.floor((count - 1) / 2));
  return Float64Array.from({ length: count }, (_, distance) => {
    let sum = 1;
    for (let cycles = 1; cycles <= most; cycles++)
      sum += 2 * Math.cos((2 * Math.PI * cycles * distance) / count);
    return sum / count;
  });
}
