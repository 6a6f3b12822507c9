import { AppError } from "../../errors.ts";
import type { Shape } from "./graph.ts";
import { sizeOf } from "./tensor.ts";

/** Static shape inference: one small function for each family of operators. All throw INVALID_GRAPH. */

function invalid(message: string): never {
  throw new AppError("INVALID_GRAPH", message);
}

/** The shape of a value about which nothing is known, not even its rank; only imported graphs have such values. */
export const UNKNOWN_SHAPE: Shape = [Number.NaN];

/** Axes of a value. Runtimes have less; a file can name a million in as many bytes. */
export const LARGEST_RANK = 32;

export function isUnknown(shape: Shape): boolean {
  return shape.some(Number.isNaN);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dimension, axis) => dimension === b[axis]);
}

/** An axis counted from the front. */
export function axisOf(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(normal) || normal < 0 || normal >= rank)
    invalid(`Axis ${axis} is outside of a value of rank ${rank}.`);
  return normal;
}

/** NumPy broadcasting of any number of shapes. */
export function broadcast(...shapes: readonly Shape[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    const size = sizes.find((candidate) => candidate !== 1) ?? 1;
    if (sizes.some((candidate) => candidate !== 1 && candidate !== size))
      invalid(`Shapes ${shapes.map((shape) => `[${shape}]`).join(" and ")} do not broadcast.`);
    return size;
  });
}

export function matmulShape(a: Shape, b: Shape): number[] {
  if (a.length === 0 || b.length === 0) invalid("MatMul needs operands of rank 1 or more.");
  const left = a.length === 1 ? [1, a[0]] : a;
  const right = b.length === 1 ? [b[0], 1] : b;
  if (left[left.length - 1] !== right[right.length - 2])
    invalid(`MatMul of [${a}] and [${b}]: inner sizes differ.`);
  return [
    ...broadcast(left.slice(0, -2), right.slice(0, -2)),
    ...(a.length === 1 ? [] : [left[left.length - 2]]),
    ...(b.length === 1 ? [] : [right[right.length - 1]]),
  ];
}

export interface Window {
  readonly kernel: Shape;
  readonly strides: Shape;
  /** Begin of every spatial axis, then end of every one, as in ONNX. */
  readonly pads: Shape;
  readonly dilations: Shape;
}

/** Spatial sizes of a convolution or a pooling. */
export function windowShape(spatial: Shape, window: Window): number[] {
  const rank = spatial.length;
  return spatial.map((size, axis) => {
    const reach = window.dilations[axis] * (window.kernel[axis] - 1) + 1;
    const padded = size + window.pads[axis] + window.pads[axis + rank];
    if (padded < reach) invalid(`A window of ${reach} does not fit into ${padded} (spatial axis ${axis}).`);
    return Math.floor((padded - reach) / window.strides[axis]) + 1;
  });
}

export function convShape(x: Shape, weight: Shape, group: number, window: Window): number[] {
  if (x.length !== weight.length || x.length < 3)
    invalid(`Conv of [${x}] by [${weight}]: ranks differ or are below 3.`);
  if (x[1] !== weight[1] * group || weight[0] % group !== 0)
    invalid(`Conv of [${x}] by [${weight}] in ${group} groups: channels differ.`);
  return [x[0], weight[0], ...windowShape(x.slice(2), window)];
}

export function convTransposeShape(
  x: Shape,
  weight: Shape,
  group: number,
  window: Window,
  outputPadding: Shape,
): number[] {
  if (x.length !== weight.length || x[1] !== weight[0])
    invalid(`ConvTranspose of [${x}] by [${weight}]: channels or ranks differ.`);
  const rank = x.length - 2;
  const spatial = x.slice(2).map((size, axis) => {
    const reach = window.dilations[axis] * (window.kernel[axis] - 1) + 1;
    const pads = window.pads[axis] + window.pads[axis + rank];
    return (size - 1) * window.strides[axis] + reach + outputPadding[axis] - pads;
  });
  return [x[0], weight[1] * group, ...spatial];
}

/** Shape after a reduction; no axes means all of them. */
export function reduceShape(shape: Shape, axes: readonly number[], keepDimensions: boolean): number[] {
  const reduced = new Set(axes.length === 0 ? shape.keys() : axes.map((axis) => axisOf(axis, shape.length)));
  return shape.flatMap((size, axis) => (reduced.has(axis) ? (keepDimensions ? [1] : []) : [size]));
}

/** Resolves 0 (copy) and −1 (the rest) of a Reshape. */
export function reshapeShape(shape: Shape, target: Shape): number[] {
  const copied = target.map((size, axis) => (size === 0 ? shape[axis] : size));
  const known = sizeOf(copied.filter((size) => size !== -1));
  const total = sizeOf(shape);
  const resolved = copied.map((size) => (size === -1 ? total / known : size));
  if (sizeOf(resolved) !== total || resolved.some((size) => !Number.isInteger(size)))
    invalid(`Reshape of [${shape}] to [${target}]: the number of elements differs.`);
  return resolved;
}

export function transposeShape(shape: Shape, permutation: readonly number[]): number[] {
  if (permutation.length !== shape.length || new Set(permutation).size !== shape.length)
    invalid(`Transpose of [${shape}] by [${permutation}]: not a permutation of its axes.`);
  return permutation.map((axis) => shape[axisOf(axis, shape.length)]);
}

/** First index, exclusive last index, step of a Slice on an axis of the given size, clamped as ONNX does. */
export interface Range {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

export function sliceRange(size: number, start: number, end: number, step: number): Range {
  if (step === 0) invalid("A Slice has a step of 0.");
  const clamp = (index: number, low: number, high: number): number =>
    Math.min(Math.max(index < 0 ? index + size : index, low), high);
  const first = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1);
  const last = step > 0 ? clamp(end, 0, size) : clamp(end, -1, size - 1);
  return { start: first, step, count: Math.max(0, Math.ceil((last - first) / step)) };
}

export function sliceShape(
  shape: Shape,
  starts: readonly number[],
  ends: readonly number[],
  axes: readonly number[],
  steps: readonly number[],
): number[] {
  const result = [...shape];
  axes.forEach((axis, index) => {
    const normal = axisOf(axis, shape.length);
    result[normal] = sliceRange(shape[normal], starts[index], ends[index], steps[index]).count;
  });
  return result;
}

export function concatShape(shapes: readonly Shape[], axis: number): number[] {
  const normal = axisOf(axis, shapes[0].length);
  const outer = (shape: Shape): Shape => shape.filter((_, index) => index !== normal);
  if (shapes.some((shape) => !sameShape(outer(shape), outer(shapes[0]))))
    invalid(
      `Concat of ${shapes.map((shape) => `[${shape}]`).join(", ")} on axis ${axis}: other axes differ.`,
    );
  const result = [...shapes[0]];
  result[normal] = shapes.reduce((sum, shape) => sum + shape[normal], 0);
  return result;
}

export function unsqueezeShape(shape: Shape, axes: readonly number[]): number[] {
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(axis, rank)));
  const rest = shape.values();
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.next().value as number)));
}

/** No axes: every axis of size 1. */
export function squeezeShape(shape: Shape, axes: readonly number[]): number[] {
  if (axes.length === 0) return shape.filter((size) => size !== 1);
  const removed = new Set(axes.map((axis) => axisOf(axis, shape.length)));
  if ([...removed].some((axis) => shape[axis] !== 1)) invalid(`Squeeze of [${shape}] on axes [${axes}].`);
  return shape.filter((_, axis) => !removed.has(axis));
}

export function gatherShape(data: Shape, indices: Shape, axis: number): number[] {
  const normal = axisOf(axis, data.length);
  return [...data.slice(0, normal), ...indices, ...data.slice(normal + 1)];
}

export function padShape(shape: Shape, pads: readonly number[]): number[] {
  if (pads.length !== 2 * shape.length) invalid(`Pad of [${shape}] needs ${2 * shape.length} numbers.`);
  return shape.map((size, axis) => size + pads[axis] + pads[axis + shape.length]);
}
