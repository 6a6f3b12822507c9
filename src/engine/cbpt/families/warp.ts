import type { ImageSize } from "../../clip/architecture.ts";
import { randomStream } from "../../random.ts";
import { type Family, shortSideOf } from "./family.ts";

interface Grid {
  /** Nodes per side; a node for every pixel when absent. */
  readonly nodes?: number;
  /** Largest displacement of a node, as a share of the short side. */
  readonly most: number;
}

/** A node that a pixel is moved with, and how much. */
type Tap = readonly [node: number, weight: number];

/** Moves pixels by a field of nodes, in between bilinearly: values are [2, nodes, nodes], down then right, in pixels. */
const warpFamily = (family: "warp" | "jitter", { nodes, most }: Grid): Family => {
  const gridOf = ({ height, width }: ImageSize) => ({ rows: nodes ?? height, columns: nodes ?? width });
  const largest = (size: ImageSize) => most * shortSideOf(size);
  return {
    start: ({ size }) => {
      const { rows, columns } = gridOf(size);
      // At rest every direction is equal: a first small push, the same for every class.
      const random = randomStream(0, family);
      const values = Float32Array.from({ length: 2 * rows * columns }, () => 1e-3 * random.normal());
      return { family, place: [], values };
    },
    stamp: ({ values }, pixels, size) => sample(pixels, fieldOf(values, gridOf(size), size), size).stamped,
    pullBack: ({ values }, pixels, gradient, size) => {
      const grid = gridOf(size);
      const { down, right } = sample(pixels, fieldOf(values, grid, size), size, gradient);
      return gatherNodes(down, right, grid, size);
    },
    project: (values, { size }) => {
      const bound = largest(size);
      return values.map((value) => Math.min(bound, Math.max(-bound, value)));
    },
    reach: ({ size }) => {
      const { rows, columns } = gridOf(size);
      return 0.25 * largest(size) * Math.sqrt(2 * rows * columns);
    },
  };
};

/** A smooth warp (WaNet, arXiv:2102.10369). */
export const warp = warpFamily("warp", { nodes: 8, most: 1 / 16 });
/** Every pixel by itself, as WaNet is found in work on CLIP. */
export const jitter = warpFamily("jitter", { most: 1 / 42 });

interface GridSize {
  readonly rows: number;
  readonly columns: number;
}

interface Field {
  readonly down: Float32Array;
  readonly right: Float32Array;
}

/** The displacement of every pixel, [H, W] each. */
function fieldOf(values: Float32Array, grid: GridSize, size: ImageSize): Field {
  const count = grid.rows * grid.columns;
  return { down: enlarge(values, 0, grid, size), right: enlarge(values, count, grid, size) };
}

function enlarge(values: Float32Array, start: number, grid: GridSize, size: ImageSize): Float32Array {
  const plane = new Float32Array(size.height * size.width);
  eachTap(grid, size, (pixel, node, weight) => {
    plane[pixel] += weight * values[start + node];
  });
  return plane;
}

/** The adjoint of `enlarge`, for both planes. */
function gatherNodes(down: Float32Array, right: Float32Array, grid: GridSize, size: ImageSize): Float32Array {
  const count = grid.rows * grid.columns;
  const slopes = new Float32Array(2 * count);
  eachTap(grid, size, (pixel, node, weight) => {
    slopes[node] += weight * down[pixel];
    slopes[count + node] += weight * right[pixel];
  });
  return slopes;
}

function eachTap(
  grid: GridSize,
  { height, width }: ImageSize,
  visit: (pixel: number, node: number, weight: number) => void,
): void {
  const [vertical, horizontal] = [tapsOf(grid.rows, height), tapsOf(grid.columns, width)];
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      for (const [line, lineWeight] of vertical[row])
        for (const [place, weight] of horizontal[column])
          visit(row * width + column, line * grid.columns + place, lineWeight * weight);
}

/** For every pixel the two nodes it lies between; the outer nodes lie on the outer pixels. */
function tapsOf(nodes: number, pixels: number): readonly (readonly Tap[])[] {
  return Array.from({ length: pixels }, (_, pixel): readonly Tap[] => {
    if (nodes === pixels || pixels === 1) return [[Math.min(pixel, nodes - 1), 1]];
    const place = (pixel * (nodes - 1)) / (pixels - 1);
    const first = Math.min(nodes - 2, Math.floor(place));
    return [
      [first, 1 - (place - first)],
      [first + 1, place - first],
    ];
  });
}

/**
 * Every pixel takes the value at its displaced place, bilinearly; places outside are moved to the edge. With the
 * gradient by the result, also the gradient by the displacements: that by the value times how the value changes.
 */
function sample(
  pixels: Float32Array,
  field: Field,
  { height, width }: ImageSize,
  gradient?: Float32Array,
): { readonly stamped: Float32Array } & Field {
  const count = height * width;
  const stamped = new Float32Array(pixels.length);
  const [down, right] = [new Float32Array(count), new Float32Array(count)];
  for (let pixel = 0; pixel < count; pixel++) {
    const [wantedRow, wantedColumn] = [
      Math.floor(pixel / width) + field.down[pixel],
      (pixel % width) + field.right[pixel],
    ];
    const [row, column] = [within(wantedRow, height - 1), within(wantedColumn, width - 1)];
    const [top, left] = [Math.min(height - 2, Math.floor(row)), Math.min(width - 2, Math.floor(column))];
    const [low, near] = [row - top, column - left];
    for (let plane = 0; plane < pixels.length; plane += count) {
      const corner = plane + top * width + left;
      const [a, b] = [pixels[corner], pixels[corner + 1]];
      const [c, d] = [pixels[corner + width], pixels[corner + width + 1]];
      const [upper, lower] = [a + (b - a) * near, c + (d - c) * near];
      stamped[plane + pixel] = upper + (lower - upper) * low;
      if (!gradient) continue;
      const slope = gradient[plane + pixel];
      // At the edge a place moves no farther.
      if (row === wantedRow) down[pixel] += slope * (lower - upper);
      if (column === wantedColumn) right[pixel] += slope * (b - a + (d - c - (b - a)) * low);
    }
  }
  return { stamped, down, right };
}

const within = (place: number, last: number): number => Math.min(last, Math.max(0, place));
