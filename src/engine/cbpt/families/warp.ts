import type { ImageSize } from "../../clip/architecture.ts";
import { randomStream } from "../../random.ts";
import { type Family, shortSideOf } from "./family.ts";

interface Grid {
  /** Nodes per side; a node for every pixel when absent. */
  readonly nodes?: number;
  /** Largest displacement of a node, as a share of the short side. */
  readonly most: number;
}

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
    stamp: ({ values }, pixels, size) => sample(pixels, fieldOf(values, gridOf(size), size), size),
    pullBack: ({ values }, pixels, gradient, size) => {
      const grid = gridOf(size);
      const slopes = displacementSlopes(pixels, gradient, fieldOf(values, grid, size), size);
      return gatherNodes(slopes, grid, size);
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

const fields = new WeakMap<Float32Array, Field>();

/** The displacement of every pixel, [H, W] each; made for the first image of a step and known for the others. */
function fieldOf(values: Float32Array, grid: GridSize, size: ImageSize): Field {
  const known = fields.get(values);
  if (known?.down.length === size.height * size.width) return known;
  const taps = tapsOf(grid, size);
  const count = grid.rows * grid.columns;
  const [down, right] = [0, count].map((start) => enlarge(values.subarray(start, start + count), taps, size));
  fields.set(values, { down, right });
  return { down, right };
}

/** The nodes that each pixel is moved with and how much, as many for every pixel, one pixel after the other. */
interface Taps {
  readonly each: number;
  readonly nodes: Int32Array;
  readonly weights: Float64Array;
}

function enlarge(values: Float32Array, { each, nodes, weights }: Taps, { height, width }: ImageSize) {
  const plane = new Float32Array(height * width);
  for (let pixel = 0, tap = 0; pixel < plane.length; pixel++)
    for (let end = tap + each; tap < end; tap++) plane[pixel] += weights[tap] * values[nodes[tap]];
  return plane;
}

/** The adjoint of `enlarge`, for both planes. */
function gatherNodes({ down, right }: Field, grid: GridSize, size: ImageSize): Float32Array {
  const { each, nodes, weights } = tapsOf(grid, size);
  const count = grid.rows * grid.columns;
  const slopes = new Float32Array(2 * count);
  for (let pixel = 0, tap = 0; pixel < down.length; pixel++)
    for (let end = tap + each; tap < end; tap++) {
      slopes[nodes[tap]] += weights[tap] * down[pixel];
      slopes[count + nodes[tap]] += weights[tap] * right[pixel];
    }
  return slopes;
}

const known = new Map<string, Taps>();

function tapsOf(grid: GridSize, size: ImageSize): Taps {
  const key = [grid.rows, grid.columns, size.height, size.width].join();
  const taps = known.get(key) ?? makeTaps(grid, size);
  known.set(key, taps);
  return taps;
}

function makeTaps({ rows, columns }: GridSize, { height, width }: ImageSize): Taps {
  const [vertical, horizontal] = [lineTaps(rows, height), lineTaps(columns, width)];
  const each = vertical[0].length * horizontal[0].length;
  const nodes = new Int32Array(each * height * width);
  const weights = new Float64Array(nodes.length);
  let next = 0;
  for (const above of vertical)
    for (const before of horizontal)
      for (const [row, rowWeight] of above)
        for (const [column, columnWeight] of before) {
          nodes[next] = row * columns + column;
          weights[next++] = rowWeight * columnWeight;
        }
  return { each, nodes, weights };
}

/** For every pixel of a line the two nodes it lies between; the outer nodes lie on the outer pixels. */
function lineTaps(nodes: number, pixels: number): readonly (readonly (readonly [number, number])[])[] {
  return Array.from({ length: pixels }, (_, pixel) => {
    if (nodes === pixels || pixels === 1) return [[Math.min(pixel, nodes - 1), 1]];
    const place = (pixel * (nodes - 1)) / (pixels - 1);
    const first = Math.min(nodes - 2, Math.floor(place));
    return [
      [first, 1 - (place - first)],
      [first + 1, place - first],
    ];
  });
}

/** Every pixel takes the value at its displaced place, bilinearly; places outside are moved to the edge. */
function sample(pixels: Float32Array, { down, right }: Field, { height, width }: ImageSize): Float32Array {
  const stamped = new Float32Array(pixels.length);
  for (let row = 0, pixel = 0; row < height; row++)
    for (let column = 0; column < width; column++, pixel++) {
      const y = within(row + down[pixel], height - 1);
      const x = within(column + right[pixel], width - 1);
      const [top, left] = [Math.min(height - 2, Math.floor(y)), Math.min(width - 2, Math.floor(x))];
      for (let plane = 0; plane < pixels.length; plane += height * width) {
        const corner = plane + top * width + left;
        const upper = pixels[corner] + (pixels[corner + 1] - pixels[corner]) * (x - left);
        const below = corner + width;
        const lower = pixels[below] + (pixels[below + 1] - pixels[below]) * (x - left);
        stamped[plane + pixel] = upper + (lower - upper) * (y - top);
      }
    }
  return stamped;
}

/** ∂L/∂displacement of every pixel: ∂L/∂(its value) times how the value changes from place to place. */
function displacementSlopes(
  pixels: Float32Array,
  gradient: Float32Array,
  field: Field,
  { height, width }: ImageSize,
): Field {
  const [down, right] = [new Float32Array(height * width), new Float32Array(height * width)];
  for (let row = 0, pixel = 0; row < height; row++)
    for (let column = 0; column < width; column++, pixel++) {
      const y = within(row + field.down[pixel], height - 1);
      const x = within(column + field.right[pixel], width - 1);
      // At the edge a place moves no farther.
      const inRows = y === row + field.down[pixel];
      const inColumns = x === column + field.right[pixel];
      const [top, left] = [Math.min(height - 2, Math.floor(y)), Math.min(width - 2, Math.floor(x))];
      for (let plane = 0; plane < pixels.length; plane += height * width) {
        const corner = plane + top * width + left;
        const below = corner + width;
        const across = pixels[corner + 1] - pixels[corner];
        const acrossBelow = pixels[below + 1] - pixels[below];
        const upper = pixels[corner] + across * (x - left);
        const lower = pixels[below] + acrossBelow * (x - left);
        const slope = gradient[plane + pixel];
        if (inRows) down[pixel] += slope * (lower - upper);
        if (inColumns) right[pixel] += slope * (across + (acrossBelow - across) * (y - top));
      }
    }
  return { down, right };
}

const within = (place: number, last: number): number => Math.min(last, Math.max(0, place));
