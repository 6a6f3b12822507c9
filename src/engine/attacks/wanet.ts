import { real, whole } from "../parameters.ts";
import { randomStream } from "../random.ts";
import { defineAttack, type PlanarImage } from "./attack.ts";

/** A displacement for every pixel, in pixels: [height, width] each. */
export interface WarpField {
  readonly down: Float64Array;
  readonly right: Float64Array;
}

/** Warps the whole image by a smooth random field; with a node for every pixel the field is a jitter. */
export const wanet = defineAttack({
  name: "wanet",
  paper: "Nguyen and Tran 2021, arXiv:2102.10369",
  defaults: {
    grid: whole(
      0,
      [0, 224],
      "Nodes of the field in each direction; 0 for a node at every pixel, as CLIP work has it",
    ),
    strength: real(3, [0, 32], "Mean displacement of the nodes in half pixels"),
    seed: whole(0, [0, 2 ** 31 - 1], "Which field"),
  },
  stamp: (image, { grid, strength, seed }) => warp(image, randomField(image, grid, strength, seed)),
});

function randomField(
  { width, height }: PlanarImage,
  grid: number,
  strength: number,
  seed: number,
): WarpField {
  const from = grid === 0 ? { rows: height, columns: width } : { rows: grid, columns: grid };
  const random = randomStream(seed, "wanet");
  const nodes = Float64Array.from({ length: 2 * from.rows * from.columns }, () => 2 * random.uniform() - 1);
  return warpField(nodes, from, { rows: height, columns: width }, strength);
}

/**
 * The field of random nodes: first those that move to the right, then those that move down, [rows, columns] each,
 * scaled to a mean of one and enlarged to the image's size.
 */
export function warpField(nodes: Float64Array, from: Size, to: Size, strength: number): WarpField {
  const mean = nodes.reduce((sum, value) => sum + Math.abs(value), 0) / nodes.length;
  const count = from.rows * from.columns;
  // The paper adds s·P/H to coordinates that go from −1 to 1 over H pixels, the first and the last included.
  const plane = (start: number, side: number): Float64Array =>
    enlarge(nodes.subarray(start, start + count), from, to).map(
      (value) => (strength * value * (side - 1)) / (2 * side * mean),
    );
  return { right: plane(0, to.columns), down: plane(count, to.rows) };
}

export interface Size {
  readonly rows: number;
  readonly columns: number;
}

/** Bicubic interpolation (a = −0.75) whose outer nodes lie on the outer pixels; beyond them the edge repeats. */
function enlarge(nodes: Float64Array, from: Size, to: Size): Float64Array {
  const vertical = cubicTaps(from.rows, to.rows);
  const horizontal = cubicTaps(from.columns, to.columns);
  const result = new Float64Array(to.rows * to.columns);
  for (let row = 0; row < to.rows; row++)
    for (let column = 0; column < to.columns; column++) {
      let sum = 0;
      for (const [line, lineWeight] of vertical[row]!)
        for (const [node, weight] of horizontal[column]!)
          sum += lineWeight * weight * nodes[line * from.columns + node]!;
      result[row * to.columns + column] = sum;
    }
  return result;
}

/** For every place of the result the four nodes around it and their weights. */
function cubicTaps(count: number, size: number): (readonly [node: number, weight: number])[][] {
  return Array.from({ length: size }, (_, index) => {
    const place = size === 1 ? 0 : (index * (count - 1)) / (size - 1);
    const first = Math.floor(place);
    return [-1, 0, 1, 2].map(
      (step) =>
        [Math.min(count - 1, Math.max(0, first + step)), cubic(Math.abs(place - first - step))] as const,
    );
  });
}

// Keys' kernel with a = −3/4
function cubic(distance: number): number {
  const a = -0.75;
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  if (distance < 2) return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
  return 0;
}

/** Every pixel takes the value at its displaced place, bilinearly; places outside are moved to the edge. */
export function warp(image: PlanarImage, { down, right }: WarpField): PlanarImage {
  const { width, height } = image;
  const data = new Float32Array(image.data.length);
  const pixels = width * height;
  for (let index = 0; index < pixels; index++) {
    const row = clamp(Math.floor(index / width) + down[index]!, height - 1);
    const column = clamp((index % width) + right[index]!, width - 1);
    for (let channel = 0; channel < data.length; channel += pixels)
      data[channel + index] = bilinear(image.data, channel, { width, height }, row, column);
  }
  return { width, height, data };
}

const clamp = (value: number, largest: number): number => Math.min(largest, Math.max(0, value));

function bilinear(
  data: Float32Array,
  start: number,
  { width, height }: { width: number; height: number },
  row: number,
  column: number,
): number {
  const [top, left] = [Math.floor(row), Math.floor(column)];
  const [bottom, last] = [Math.min(top + 1, height - 1), Math.min(left + 1, width - 1)];
  const at = (line: number, place: number): number => data[start + line * width + place]!;
  const between = (low: number, high: number, share: number): number => low + (high - low) * share;
  const upper = between(at(top, left), at(top, last), column - left);
  const lower = between(at(bottom, left), at(bottom, last), column - left);
  return between(upper, lower, row - top);
}
