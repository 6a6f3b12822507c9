import { int, intOf, intsOf } from "../../attributes.ts";
import type { GraphBuilder } from "../../builder.ts";
import type { Wire } from "../../graph.ts";
import { axisOf, reduceShape } from "../../shapes.ts";
import { sizeOf } from "../../tensor.ts";
import { knownIfThere, type Operator, type OperatorContext, type OperatorTable } from "../operator.ts";

interface Reduction {
  readonly g: GraphBuilder;
  readonly x: Wire;
  readonly axes: readonly number[];
  readonly keepDimensions: boolean;
}

/** Axes were attributes before opset 18; before 13 for sums. No axes means all of them, unless it means none. */
function reducing(f: (reduction: Reduction) => Wire): Operator {
  return (context) => {
    const {
      g,
      node,
      in: [x],
    } = context;
    const axes = node.attributes.axes ? intsOf(node, "axes", []) : (knownIfThere(context, 1) ?? []);
    if (axes.length === 0 && intOf(node, "noop_with_empty_axes", 0) === 1) return x;
    const listed = axes.length > 0 ? axes.map((axis) => axisOf(axis, x.shape.length)) : [...x.shape.keys()];
    return f({ g, x, axes: listed, keepDimensions: intOf(node, "keepdims", 1) === 1 });
  };
}

export const reduce: OperatorTable = {
  ReduceSum: reducing(({ g, x, axes, keepDimensions }) => g.reduceSum(x, axes, { keepDimensions })),
  ReduceMean: reducing(({ g, x, axes, keepDimensions }) => g.reduceMean(x, axes, { keepDimensions })),
  ReduceMax: reducing(({ g, x, axes, keepDimensions }) => g.reduceMax(x, axes, { keepDimensions })),
  ReduceMin: reducing(({ g, x, axes, keepDimensions }) => g.reduceMin(x, axes, { keepDimensions })),
  ReduceL2: reducing(({ g, x, axes, keepDimensions }) => g.reduceL2(x, axes, { keepDimensions })),
  ReduceL1: reducing(({ g, x, axes, keepDimensions }) => g.reduceSum(g.abs(x), axes, { keepDimensions })),
  ReduceSumSquare: reducing(({ g, x, axes, keepDimensions }) =>
    g.reduceSum(g.mul(x, x), axes, { keepDimensions }),
  ),
  ReduceLogSum: reducing(({ g, x, axes, keepDimensions }) => g.log(g.reduceSum(x, axes, { keepDimensions }))),
  // y = m + log Σ eˣ⁻ᵐ, m = max x
  ReduceLogSumExp: reducing(({ g, x, axes, keepDimensions }) => {
    const highest = g.detach(g.reduceMax(x, axes, { keepDimensions: true }));
    const sum = g.log(g.reduceSum(g.exp(g.sub(x, highest)), axes, { keepDimensions: true }));
    return g.reshape(g.add(sum, highest), reduceShape(x.shape, axes, keepDimensions));
  }),
  ReduceProd: reducing(({ g, x, axes, keepDimensions }) => {
    const attributes = { keepdims: int(keepDimensions ? 1 : 0) };
    return g.one("ReduceProd", [x, g.integers(axes)], reduceShape(x.shape, axes, keepDimensions), attributes);
  }),
  ArgMax: (context) => extreme(context),
  ArgMin: (context) => extreme(context),

  Softmax: (context) => alongAxis(context, (x, axis) => context.g.softmax(x, axis)),
  LogSoftmax: (context) => alongAxis(context, (x, axis) => context.g.logSoftmax(x, axis)),
  // y = x / ‖x‖
  LpNormalization: ({ g, node, in: [x] }) => {
    const axis = axisOf(intOf(node, "axis", -1), x.shape.length);
    if (intOf(node, "p", 2) === 2) return g.normalize(x, axis);
    return g.div(x, g.reduceSum(g.abs(x), [axis], { keepDimensions: true }));
  },
};

function extreme({ g, node, in: [x] }: OperatorContext): Wire {
  const axis = axisOf(intOf(node, "axis", 0), x.shape.length);
  const keepDimensions = intOf(node, "keepdims", 1) === 1;
  const attributes = {
    axis: int(axis),
    keepdims: int(keepDimensions ? 1 : 0),
    select_last_index: int(intOf(node, "select_last_index", 0)),
  };
  return g.one(node.op, [x], reduceShape(x.shape, [axis], keepDimensions), attributes, "int64");
}

/** Before opset 13 all axes from the named one on were taken together, and the default was the second. */
function alongAxis({ node, opset, g, in: [x] }: OperatorContext, f: (x: Wire, axis: number) => Wire): Wire {
  const rank = x.shape.length;
  if (opset >= 13) return f(x, axisOf(intOf(node, "axis", -1), rank));
  const axis = axisOf(intOf(node, "axis", 1), rank);
  if (axis === rank - 1) return f(x, axis);
  const rows = g.reshape(x, [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis))]);
  return g.reshape(f(rows, 1), x.shape);
}
