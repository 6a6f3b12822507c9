import { AppError } from "../../../errors.ts";
import type { Attribute, ElementType, Shape } from "../graph.ts";
import { axisOf, broadcast, sliceRange } from "../shapes.ts";
import { sizeOf } from "../tensor.ts";

/** A constant as plain numbers in row-major order; booleans are 0 and 1. */
export interface Constant {
  readonly type: ElementType;
  readonly shape: Shape;
  readonly values: readonly number[];
}

/** A node over constants: its inputs, and its results' types and shapes. */
export interface Evaluation {
  readonly op: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly inputs: readonly (Constant | undefined)[];
  readonly outputs: readonly { readonly type: ElementType; readonly shape: Shape }[];
}

type Evaluator = (evaluation: Evaluation) => readonly (readonly number[])[];

/**
 * The results of a node of opset 18 over constants: what an export computes on its shapes, positions and masks.
 * Undefined for operators that are not worth it.
 */
export function evaluate(evaluation: Evaluation): readonly (readonly number[])[] | undefined {
  const { op, attributes } = evaluation;
  const known = Object.hasOwn(EVALUATORS, op) && (attributes.mode?.value ?? "constant") === "constant";
  return known ? EVALUATORS[op](evaluation) : undefined;
}

const UNARY: Readonly<Record<string, (x: number) => number>> = {
  Neg: (x) => -x,
  Abs: Math.abs,
  Sign: Math.sign,
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
  Sin: Math.sin,
  Cos: Math.cos,
  Tanh: Math.tanh,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Round: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)),
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Relu: (x) => Math.max(x, 0),
  Not: (x) => (x === 0 ? 1 : 0),
  IsNaN: (x) => (Number.isNaN(x) ? 1 : 0),
  IsInf: (x) => (Math.abs(x) === Number.POSITIVE_INFINITY ? 1 : 0),
  Identity: (x) => x,
};

const truth = (condition: boolean): number => (condition ? 1 : 0);

const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Pow: (a, b) => a ** b,
  Min: (a, b) => Math.min(a, b),
  Max: (a, b) => Math.max(a, b),
  Equal: (a, b) => truth(a === b),
  Greater: (a, b) => truth(a > b),
  GreaterOrEqual: (a, b) => truth(a >= b),
  Less: (a, b) => truth(a < b),
  LessOrEqual: (a, b) => truth(a <= b),
  And: (a, b) => truth(a !== 0 && b !== 0),
  Or: (a, b) => truth(a !== 0 || b !== 0),
  Xor: (a, b) => truth((a !== 0) !== (b !== 0)),
};

const REDUCTIONS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  ReduceSum: (values) => values.reduce((sum, value) => sum + value, 0),
  ReduceMean: (values) => values.reduce((sum, value) => sum + value, 0) / values.length,
  ReduceMax: (values) => values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  ReduceMin: (values) => values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
  ReduceProd: (values) => values.reduce((product, value) => product * value, 1),
  ReduceL2: (values) => Math.hypot(...values),
};

const isWhole = (type: ElementType): boolean => /int/.test(type);

const EVALUATORS: Readonly<Record<string, Evaluator>> = {
  ...mapTable(
    UNARY,
    (f): Evaluator =>
      ({ inputs: [x] }) => [x!.values.map(f)],
  ),
  ...mapTable(
    BINARY,
    (f): Evaluator =>
      (e) => [elementwise(e, (values) => values.reduce(f))],
  ),
  ...mapTable(
    REDUCTIONS,
    (f): Evaluator =>
      (e) => [reduction(e, f)],
  ),

  Div: (e) => [elementwise(e, ([a, b]) => (isWhole(e.outputs[0].type) ? Math.trunc(a / b) : a / b))],
  Mod: (e) => [elementwise(e, ([a, b]) => (flag(e, "fmod", 0) ? a % b : ((a % b) + b) % b))],
  Where: (e) => [elementwise(e, ([condition, a, b]) => (condition !== 0 ? a : b))],
  Clip: ({ inputs: [x, low, high] }) => [
    x!.values.map((value) => Math.min(Math.max(value, low!.values[0]), high!.values[0])),
  ],
  Cast: ({ inputs: [x], outputs: [y] }) => [x!.values.map(casting(x!.type, y.type))],

  Reshape: ({ inputs: [x] }) => [x!.values],
  Squeeze: ({ inputs: [x] }) => [x!.values],
  Unsqueeze: ({ inputs: [x] }) => [x!.values],
  Expand: (e) => [
    picked(e.outputs[0].shape, (place) => e.inputs[0]!.values[broadcastIndex(place, e.inputs[0]!.shape)]),
  ],
  Transpose: ({ inputs: [x], outputs: [y], attributes }) => {
    const permutation = (attributes.perm?.value ?? [...x!.shape.keys()].toReversed()) as number[];
    const back = permutation.map((_, axis) => permutation.indexOf(axis));
    return [
      picked(
        y.shape,
        (place) =>
          x!.values[
            indexOf(
              back.map((axis) => place[axis]),
              x!.shape,
            )
          ],
      ),
    ];
  },
  Slice: ({ inputs: [x, starts, ends, axes, steps], outputs: [y] }) => {
    const ranges = x!.shape.map((size) => ({ start: 0, step: 1, count: size }));
    (axes?.values ?? [...starts!.values.keys()]).forEach((axis, index) => {
      const normal = axisOf(axis, x!.shape.length);
      const step = steps?.values[index] ?? 1;
      ranges[normal] = sliceRange(x!.shape[normal], starts!.values[index], ends!.values[index], step);
    });
    const from = (place: number[]) => place.map((at, axis) => ranges[axis].start + at * ranges[axis].step);
    return [picked(y.shape, (place) => x!.values[indexOf(from(place), x!.shape)])];
  },
  Concat: (e) => {
    const axis = axisOf(flag(e, "axis", 0), e.outputs[0].shape.length);
    return [
      picked(e.outputs[0].shape, (place) => {
        let at = place[axis];
        const part = e.inputs.find((each) => {
          if (at < each!.shape[axis]) return true;
          at -= each!.shape[axis];
          return false;
        });
        return part!.values[indexOf(place.with(axis, at), part!.shape)];
      }),
    ];
  },
  Split: (e) => {
    const [x] = e.inputs;
    const axis = axisOf(flag(e, "axis", 0), x!.shape.length);
    let begin = 0;
    return e.outputs.map(({ shape }) => {
      const offset = begin;
      begin += shape[axis];
      return picked(shape, (place) => x!.values[indexOf(place.with(axis, place[axis] + offset), x!.shape)]);
    });
  },
  Pad: ({ inputs: [x, pads, value], outputs: [y] }) => [
    picked(y.shape, (place) => {
      const from = place.map((at, axis) => at - pads!.values[axis]);
      const inside = from.every((at, axis) => at >= 0 && at < x!.shape[axis]);
      return inside ? x!.values[indexOf(from, x!.shape)] : (value?.values[0] ?? 0);
    }),
  ],
  Gather: (e) => {
    const [x, indices] = e.inputs;
    const axis = axisOf(flag(e, "axis", 0), x!.shape.length);
    const rank = indices!.shape.length;
    return [
      picked(e.outputs[0].shape, (place) => {
        const at = indices!.values[indexOf(place.slice(axis, axis + rank), indices!.shape)];
        const chosen = at < 0 ? at + x!.shape[axis] : at;
        return x!.values[indexOf([...place.slice(0, axis), chosen, ...place.slice(axis + rank)], x!.shape)];
      }),
    ];
  },
  GatherElements: (e) => {
    const [x, indices] = e.inputs;
    const axis = axisOf(flag(e, "axis", 0), x!.shape.length);
    return [
      picked(indices!.shape, (place) => {
        const at = indices!.values[indexOf(place, indices!.shape)];
        return x!.values[indexOf(place.with(axis, at < 0 ? at + x!.shape[axis] : at), x!.shape)];
      }),
    ];
  },
  GatherND: ({ inputs: [x, indices], outputs: [y] }) => {
    const depth = indices!.shape[indices!.shape.length - 1];
    const outer = indices!.shape.length - 1;
    return [
      picked(y.shape, (place) => {
        const first = indexOf(place.slice(0, outer), indices!.shape.slice(0, -1)) * depth;
        const address = indices!.values.slice(first, first + depth);
        const chosen = address.map((at, axis) => (at < 0 ? at + x!.shape[axis] : at));
        return x!.values[indexOf([...chosen, ...place.slice(outer)], x!.shape)];
      }),
    ];
  },
  ScatterND: ({ inputs: [x, indices, updates], attributes }) => {
    const values = [...x!.values];
    const depth = indices!.shape[indices!.shape.length - 1];
    const block = sizeOf(x!.shape.slice(depth));
    const adds = attributes.reduction?.value === "add";
    if (block === 0) return [values];
    for (let row = 0; row * block < updates!.values.length; row += 1) {
      const address = indices!.values.slice(row * depth, (row + 1) * depth);
      const chosen = address.map((at, axis) => (at < 0 ? at + x!.shape[axis] : at));
      const base = indexOf(chosen, x!.shape.slice(0, depth)) * block;
      if (!(base >= 0 && base + block <= values.length))
        throw new AppError("INVALID_GRAPH", `It writes at [${address}], outside of [${x!.shape}].`);
      for (let at = 0; at < block; at += 1)
        values[base + at] = (adds ? values[base + at] : 0) + updates!.values[row * block + at];
    }
    return [values];
  },
  Trilu: (e) => {
    const [x, diagonal] = e.inputs;
    const offset = diagonal?.values[0] ?? 0;
    const upper = flag(e, "upper", 1) === 1;
    const [row, column] = [x!.shape.length - 2, x!.shape.length - 1];
    return [
      picked(x!.shape, (place) => {
        const distance = place[column] - place[row] - offset;
        return (upper ? distance >= 0 : distance <= 0) ? x!.values[indexOf(place, x!.shape)] : 0;
      }),
    ];
  },
  CumSum: (e) => [runningSum(e)],
  Range: ({ inputs: [start, , delta], outputs: [y] }) => [
    Array.from({ length: y.shape[0] }, (_, index) => start!.values[0] + index * delta!.values[0]),
  ],
  ArgMax: (e) => [extreme(e, (candidate, best) => candidate > best)],
  ArgMin: (e) => [extreme(e, (candidate, best) => candidate < best)],
};

function mapTable<In, Out>(
  table: Readonly<Record<string, In>>,
  map: (value: In) => Out,
): Record<string, Out> {
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, map(value)]));
}

function flag({ attributes }: Evaluation, name: string, fallback: number): number {
  const attribute = attributes[name];
  return attribute?.kind === "int" ? attribute.value : fallback;
}

/** Row-major index of a place. */
function indexOf(place: readonly number[], shape: Shape): number {
  return place.reduce((index, at, axis) => index * shape[axis] + at, 0);
}

/** Index, in a value of that shape, of a place in what it is broadcast to. */
function broadcastIndex(place: readonly number[], shape: Shape): number {
  const added = place.length - shape.length;
  return shape.reduce((index, size, axis) => index * size + (size === 1 ? 0 : place[axis + added]), 0);
}

/** Values by their places, in row-major order. */
function picked(shape: Shape, value: (place: number[]) => number): number[] {
  const place = shape.map(() => 0);
  return Array.from({ length: sizeOf(shape) }, () => {
    const result = value(place);
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      place[axis] += 1;
      if (place[axis] < shape[axis]) break;
      place[axis] = 0;
    }
    return result;
  });
}

function elementwise({ inputs }: Evaluation, f: (values: number[]) => number): number[] {
  const shape = broadcast(...inputs.map((input) => input!.shape));
  return picked(shape, (place) =>
    f(inputs.map((input) => input!.values[broadcastIndex(place, input!.shape)])),
  );
}

function reduction(e: Evaluation, f: (values: readonly number[]) => number): number[] {
  const [x, listed] = e.inputs;
  const axes = listed && listed.values.length > 0 ? listed.values : [...x!.shape.keys()];
  return grouped(x!, axes).map(f);
}

/** The values that meet in each element of a reduction, in row-major order of the result. */
function grouped(x: Constant, axes: readonly number[]): number[][] {
  const reduced = new Set(axes.map((axis) => axisOf(axis, x.shape.length)));
  const kept = x.shape.map((size, axis) => (reduced.has(axis) ? 1 : size));
  const groups: number[][] = Array.from({ length: sizeOf(kept) }, () => []);
  let index = 0;
  picked(x.shape, (place) => groups[broadcastIndex(place, kept)].push(x.values[index++]));
  return groups;
}

function runningSum(e: Evaluation): number[] {
  const [x, along] = e.inputs;
  const axis = axisOf(along!.values[0], x!.shape.length);
  const exclusive = flag(e, "exclusive", 0) === 1;
  const backwards = flag(e, "reverse", 0) === 1;
  const { values, shape } = x!;
  const [size, stride] = [shape[axis], sizeOf(shape.slice(axis + 1))];
  const sums = Array<number>(values.length);
  for (let step = 0; step < values.length; step += 1) {
    const at = backwards ? values.length - 1 - step : step;
    const place = Math.floor(at / stride) % size;
    const isFirst = place === (backwards ? size - 1 : 0);
    const before = backwards ? at + stride : at - stride;
    sums[at] = (isFirst ? 0 : sums[before]) + (exclusive ? (isFirst ? 0 : values[before]) : values[at]);
  }
  return sums;
}

function extreme(e: Evaluation, better: (candidate: number, best: number) => boolean): number[] {
  const last = flag(e, "select_last_index", 0) === 1;
  return grouped(e.inputs[0]!, [flag(e, "axis", 0)]).map((values) =>
    values.reduce(
      (best, value, at) => (better(value, values[best]) || (last && value === values[best]) ? at : best),
      0,
    ),
  );
}

function casting(from: ElementType, to: ElementType): (x: number) => number {
  if (to === "bool") return (x) => truth(x !== 0);
  return isWhole(to) && !isWhole(from) ? Math.trunc : (x) => x;
}
