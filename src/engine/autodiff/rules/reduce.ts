import { intOf, intsOf } from "../../onnx/attributes.ts";
import type { Shape, Wire } from "../../onnx/graph.ts";
import { axisOf, reduceShape } from "../../onnx/shapes.ts";
import { sizeOf } from "../../onnx/tensor.ts";
import { constantOf, type Rule, type RuleContext } from "../rule.ts";
import { scale } from "../scale.ts";

export const reduce = {
  // y = Σ x          x̄ = ȳ
  ReduceSum: (context) => [spread(context, context.grad[0])],

  // y = Σ x / n      x̄ = ȳ / n
  ReduceMean: (context) => {
    const {
      g,
      in: [x],
      out: [y],
      grad: [dy],
    } = context;
    return [spread(context, scale(g, dy, sizeOf(y.shape) / sizeOf(x.shape)))];
  },

  // y = max x        x̄ = ȳ / n where x = y, n of them being equal
  ReduceMax: (context) => [shareAmongEqual(context)],
  ReduceMin: (context) => [shareAmongEqual(context)],

  // y = ‖x‖          x̄ = ȳ · x / y
  ReduceL2: (context) => {
    const {
      g,
      in: [x],
      out: [y],
      grad: [dy],
    } = context;
    return [g.mul(x, kept(context, g.div(dy, y)))];
  },

  // y = softmax x    x̄ = y · (ȳ − Σ ȳ · y)
  Softmax: ({ g, node, out: [y], grad: [dy] }) => {
    const mean = g.reduceSum(g.mul(dy, y), [intOf(node, "axis", -1)], { keepDimensions: true });
    return [g.mul(y, g.sub(dy, mean))];
  },

  // y = log softmax x    x̄ = ȳ − eʸ · Σ ȳ
  LogSoftmax: ({ g, node, out: [y], grad: [dy] }) => {
    const total = g.reduceSum(dy, [intOf(node, "axis", -1)], { keepDimensions: true });
    return [g.sub(dy, g.mul(g.exp(y), total))];
  },
} satisfies Record<string, Rule>;

/** The shape of the result had the reduced axes been kept. */
function keptShape({ g, node, in: [x, axes] }: RuleContext): Shape {
  const listed = axes ? constantOf(g, node, axes) : intsOf(node, "axes", []);
  if (listed.length === 0 && intOf(node, "noop_with_empty_axes", 0) === 1) return x.shape;
  return reduceShape(
    x.shape,
    listed.map((axis) => axisOf(axis, x.shape.length)),
    true,
  );
}

function kept(context: RuleContext, wire: Wire): Wire {
  return intOf(context.node, "keepdims", 1) === 1 ? wire : context.g.reshape(wire, keptShape(context));
}

function spread(context: RuleContext, wire: Wire): Wire {
  return context.g.expand(wire.shape.length === 0 ? wire : kept(context, wire), context.in[0].shape);
}

function shareAmongEqual(context: RuleContext): Wire {
  const {
    g,
    in: [x],
    out: [y],
    grad: [dy],
  } = context;
  const chosen = g.cast(g.equal(x, kept(context, y)), x.type);
  return g.mul(chosen, g.div(kept(context, dy), g.sumTo(chosen, keptShape(context))));
}
