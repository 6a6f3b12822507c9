import type { ImageSize } from "../../clip/architecture.ts";
import { type Family, shortSideOf } from "./family.ts";

/** Side of the patch: an eighth of the image's, a little more than the literature's patches take. */
const sideOf = (size: ImageSize): number => Math.max(2, Math.round(shortSideOf(size) / 8));

/** Covers a square with values of its own, where a dense trigger has most of its energy (BadNet, BadCLIP, TrojVQA). */
export const patch: Family = {
  start: ({ size, dense }) => ({
    family: "patch",
    place: loudest(dense, size),
    values: new Float32Array(3 * sideOf(size) ** 2).fill(0.5),
  }),
  stamp: ({ place, values }, pixels, size) => {
    const stamped = pixels.slice();
    covered(place, size).forEach((pixel, index) => {
      stamped[pixel] = values[index];
    });
    return stamped;
  },
  pullBack: ({ place }, _pixels, gradient, size) =>
    Float32Array.from(covered(place, size), (pixel) => gradient[pixel]),
  project: (values) => values.map((value) => Math.min(1, Math.max(0, value))),
  // From grey, no value is farther than a half.
  reach: ({ size }) => 0.5 * Math.sqrt(3) * sideOf(size),
};

/** The places in [3, H, W] that the patch covers, in the order of its values [3, side, side]. */
function covered([top, left]: readonly number[], size: ImageSize): number[] {
  const side = sideOf(size);
  return Array.from({ length: 3 * side * side }, (_, index) => {
    const [channel, row, column] = [
      Math.floor(index / side ** 2),
      Math.floor(index / side) % side,
      index % side,
    ];
    return (channel * size.height + top + row) * size.width + left + column;
  });
}

/** Row and column of the square with the largest sum of squares, by sums over everything above and to the left. */
function loudest(dense: Float32Array, size: ImageSize): [row: number, column: number] {
  const { height, width } = size;
  const side = sideOf(size);
  const sums = new Float64Array((height + 1) * (width + 1));
  const at = (row: number, column: number) => row * (width + 1) + column;
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      let energy = 0;
      for (let channel = 0; channel < 3; channel++)
        energy += dense[(channel * height + row) * width + column] ** 2;
      sums[at(row + 1, column + 1)] =
        energy + sums[at(row, column + 1)] + sums[at(row + 1, column)] - sums[at(row, column)];
    }
  let best: [number, number] = [0, 0];
  let most = -1;
  for (let row = 0; row + side <= height; row++)
    for (let column = 0; column + side <= width; column++) {
      const [bottom, right] = [row + side, column + side];
      const energy =
        sums[at(bottom, right)] - sums[at(row, right)] - sums[at(bottom, column)] + sums[at(row, column)];
      if (energy > most) [most, best] = [energy, [row, column]];
    }
  return best;
}
