import { append, type Rewrite } from "../append.ts";
import { intOf, intsOf } from "../attributes.ts";
import { GraphBuilder } from "../builder.ts";
import type { Graph, Wire } from "../graph.ts";

/** The opset whose forms of operators the gradient rules know. */
const TARGET_OPSET = 18;

/** Operators that have no gradient rule, or older forms of some that have, written by those that have one. */
const rewrites: Readonly<Record<string, Rewrite>> = {
  // y = 1 / x
  Reciprocal: (g, _, [x]) => [g.div(1, x)],

  // y = log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)
  Softplus: (g, _, [x]) => [g.add(g.relu(x), g.log(g.add(1, g.exp(g.neg(g.abs(x))))))],

  // y = x · Φ(x)
  Gelu: (g, node, [x]) => {
    if (node.attributes.approximate?.value === "tanh") return undefined;
    return [g.mul(g.mul(x, 0.5), g.add(1, g.erf(g.mul(x, Math.SQRT1_2))))];
  },

  // y = Σ xᵢ
  Sum: (g, _, list) => [list.reduce((total, x) => g.add(total, x))],

  // Only training drops anything.
  Dropout: (_g, node, [x]) => (node.outputs.length === 1 ? [x] : undefined),

  // Before opset 18 axes were attributes.
  ReduceMean: (g, node, inputs) => withAxesInput(g, node, inputs),
  ReduceMax: (g, node, inputs) => withAxesInput(g, node, inputs),
  ReduceMin: (g, node, inputs) => withAxesInput(g, node, inputs),
  ReduceL2: (g, node, inputs) => withAxesInput(g, node, inputs),
};

const withAxesInput: Rewrite = (g, node, [x]) => {
  const axes = intsOf(node, "axes", []);
  if (axes.length === 0) return undefined;
  const reduced = new Set(axes.map((axis) => (axis < 0 ? axis + x.shape.length : axis)));
  const keeps = intOf(node, "keepdims", 1) === 1;
  const shape = x.shape.flatMap((size, axis) => (reduced.has(axis) ? (keeps ? [1] : []) : [size]));
  const { keepdims } = node.attributes;
  return [g.one(node.op, [x, g.integers(axes)], shape, keepdims ? { keepdims } : {})];
};

/**
 * Writes what the gradient rules do not know by what they know. Before: types and static shapes of all values are
 * known. After: the same function with the same inputs and outputs, at opset 18 or the graph's own if newer.
 */
export function decompose(graph: Graph): Graph {
  const opset = Math.max(TARGET_OPSET, graph.opset);
  const g = new GraphBuilder({ name: graph.name, opset });
  const inputs = graph.inputs.map(({ name, shape, type }): [string, Wire] => [
    name,
    g.input(name, shape, type),
  ]);
  const outputs = append(g, graph, Object.fromEntries(inputs), (...context) =>
    rewrites[context[1].op]?.(...context),
  );
  outputs.forEach((wire, index) => void g.output(wire, graph.outputs[index].name));
  return g.build();
}
