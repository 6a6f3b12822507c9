import { intOf, textOf } from "../../onnx/attributes.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Wire } from "../../onnx/graph.ts";
import { axisOf } from "../../onnx/shapes.ts";
import { type Rule, unsupported } from "../rule.ts";

export const gather = {
  // y = x[i]         x̄[i] += ȳ
  Gather: ({ g, node, in: [x, indices], grad: [dy] }) => {
    const axis = axisOf(intOf(node, "axis", 0), x.shape.length);
    const chosen = g.numbers(indices);
    return [chosen?.length === 1 ? single(g, x, axis, chosen[0], dy) : scattered(g, x, axis, indices, dy)];
  },

  // y = x[i] by leading axes     x̄[i] += ȳ
  GatherND: ({ g, node, in: [x, indices], grad: [dy] }) => {
    if (intOf(node, "batch_dims", 0) !== 0) unsupported(node, "with batch_dims");
    return [g.scatterNdAdd(g.zeros(x.shape, x.type), indices, dy)];
  },

  // y = x, y[i] += u     x̄ = ȳ     ū = ȳ[i]
  ScatterND: ({ g, node, in: [, indices], grad: [dy] }) => {
    if (textOf(node, "reduction", "none") !== "add") unsupported(node, "without addition");
    return [dy, undefined, g.gatherNd(dy, indices)];
  },

  // y = x[i] along an axis       x̄[i] += ȳ
  GatherElements: ({ g, node, in: [x, indices], grad: [dy] }) => [
    g.scatterElementsAdd(g.zeros(x.shape, x.type), indices, dy, intOf(node, "axis", 0)),
  ],

  // y = x, y[i] += u along an axis       x̄ = ȳ     ū = ȳ[i]
  ScatterElements: ({ g, node, in: [, indices], grad: [dy] }) => {
    if (textOf(node, "reduction", "none") !== "add") unsupported(node, "without addition");
    return [dy, undefined, g.gatherElements(dy, indices, intOf(node, "axis", 0))];
  },
} satisfies Record<string, Rule>;

/** One fixed index is a slice. */
function single(g: GraphBuilder, x: Wire, axis: number, index: number, dy: Wire): Wire {
  const size = x.shape[axis];
  const position = index < 0 ? index + size : index;
  const pads = Array(2 * x.shape.length).fill(0);
  const around = pads.with(axis, position).with(axis + x.shape.length, size - 1 - position);
  return g.pad(g.reshape(dy, x.shape.with(axis, 1)), around);
}

/** Moves the gathered axis to the front, adds up there, and moves it back. */
function scattered(g: GraphBuilder, x: Wire, axis: number, indices: Wire, dy: Wire): Wire {
  const rank = x.shape.length;
  const depth = indices.shape.length;
  const outer = [...Array(rank).keys()].filter((candidate) => candidate !== axis);
  const front = [...Array(depth).keys()].map((index) => index + axis);
  const rest = [...Array(dy.shape.length).keys()].filter((candidate) => !front.includes(candidate));
  const updates = axis === 0 ? dy : g.transpose(dy, [...front, ...rest]);
  const zeros = g.zeros([x.shape[axis], ...outer.map((index) => x.shape[index])], x.type);
  const sum = g.scatterNdAdd(zeros, g.unsqueeze(indices, [depth]), updates);
  const order = [axis, ...outer];
  return axis === 0
    ? sum
    : g.transpose(
        sum,
        order.map((_, index) => order.indexOf(index)),
      );
}
