import { intOf } from "../../../src/engine/onnx/attributes.ts";
import type { Operator } from "./operator.ts";
import { at, count, make, type Value } from "./values.ts";

type Fold = (values: readonly number[]) => number;

const total: Fold = (values) => values.reduce((sum, value) => sum + value, 0);

/** All elements that differ only in the given axes, for the index with those axes at 0. */
function group(value: Value, axes: ReadonlySet<number>, index: readonly number[]): number[] {
  const sizes = value.shape.map((size, axis) => (axes.has(axis) ? size : 1));
  const elements: number[] = [];
  make(sizes, (offset) =>
    elements.push(
      at(
        value,
        index.map((position, axis) => position + offset[axis]),
      ),
    ),
  );
  return elements;
}

function axesOf(value: Value, listed: readonly number[]): Set<number> {
  const rank = value.shape.length;
  const all = listed.length === 0 ? [...value.shape.keys()] : listed;
  return new Set(all.map((axis) => (axis < 0 ? axis + rank : axis)));
}

function folded(value: Value, axes: ReadonlySet<number>, fold: Fold): Value {
  const kept = value.shape.map((size, axis) => (axes.has(axis) ? 1 : size));
  return make(kept, (index) => fold(group(value, axes, index)));
}

const reduction =
  (fold: Fold): Operator =>
  ({ inputs: [x, axes], outputShapes: [shape] }) => [
    { shape, data: folded(x, axesOf(x, axes ? [...axes.data] : []), fold).data },
  ];

function softmax(x: Value, axis: number): Value {
  const axes = axesOf(x, [axis]);
  const zeroed = (index: readonly number[]): number[] =>
    index.map((position, a) => (axes.has(a) ? 0 : position));
  const largest = folded(x, axes, (values) => Math.max(...values));
  const e = make(x.shape, (index) => Math.exp(at(x, index) - at(largest, zeroed(index))));
  const sums = folded(e, axes, total);
  return make(x.shape, (index) => at(e, index) / at(sums, zeroed(index)));
}

export const reduce: Readonly<Record<string, Operator>> = {
  ReduceSum: reduction(total),
  ReduceMean: reduction((values) => total(values) / values.length),
  ReduceMax: reduction((values) => Math.max(...values)),
  ReduceMin: reduction((values) => Math.min(...values)),
  ReduceL2: reduction((values) => Math.hypot(...values)),
  Softmax: ({ node, inputs: [x] }) => [softmax(x, intOf(node, "axis", -1))],
  LogSoftmax: ({ node, inputs: [x] }) => {
    const y = softmax(x, intOf(node, "axis", -1));
    return [{ shape: y.shape, data: y.data.map(Math.log) }];
  },
  ArgMax: ({ node, inputs: [x], outputShapes: [shape] }) => {
    const axes = axesOf(x, [intOf(node, "axis", 0)]);
    const { data } = folded(x, axes, (values) => values.indexOf(Math.max(...values)));
    if (data.length !== count(shape)) throw new Error("ArgMax: unexpected shape");
    return [{ shape, data }];
  },
};
