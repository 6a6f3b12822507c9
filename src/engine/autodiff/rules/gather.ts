import { intOf, textOf } from "../../onnx/attributes.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Node, Shape, Wire } from "../../onnx/graph.ts";
import { axisOf } from "../../onnx/shapes.ts";
import { sizeOf } from "../../onnx/tensor.ts";
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
    const leading = x.shape.slice(0, indices.shape[indices.shape.length - 1]);
    return [g.reshape(addedUp(g, sizeOf(leading), rowNumbers(g, leading, indices), dy), x.shape)];
  },

  // y = x, y[i] += u     x̄ = ȳ                   ū = ȳ[i]
  // y = x, y[i] = u      x̄ = ȳ, x̄[i] = 0         ū = ȳ[i]
  ScatterND: ({ g, node, in: [, indices, updates], grad: [dy] }) => {
    const kept = scatteredInto(node, dy, () =>
      g.one("ScatterND", [dy, indices, g.zeros(updates.shape, dy.type)], dy.shape, node.attributes),
    );
    return [kept, undefined, g.gatherNd(dy, indices)];
  },

  // y = x[i] along an axis       x̄[i] += ȳ
  GatherElements: ({ g, node, in: [x, indices], grad: [dy] }) => [
    g.scatterElementsAdd(g.zeros(x.shape, x.type), indices, dy, intOf(node, "axis", 0)),
  ],

  // The same along an axis.
  ScatterElements: ({ g, node, in: [, indices, updates], grad: [dy] }) => {
    const kept = scatteredInto(node, dy, () =>
      g.one("ScatterElements", [dy, indices, g.zeros(updates.shape, dy.type)], dy.shape, node.attributes),
    );
    return [kept, undefined, g.gatherElements(dy, indices, intOf(node, "axis", 0))];
  },
} satisfies Record<string, Rule>;

/** What of the gradient goes past the updates: all of it where they are added, the rest where they replace. */
function scatteredInto(node: Node, dy: Wire, withoutUpdated: () => Wire): Wire {
  const reduction = textOf(node, "reduction", "none");
  if (reduction === "none") return withoutUpdated();
  return reduction === "add" ? dy : unsupported(node, `with the reduction "${reduction}"`);
}

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
  const axes = [...x.shape.keys()];
  const front = [axis, ...axes.filter((candidate) => candidate !== axis)];
  const gathered = indices.shape.map((_, position) => position + axis);
  const rest = [...dy.shape.keys()].filter((candidate) => !gathered.includes(candidate));
  const updates = axis === 0 ? dy : g.transpose(dy, [...gathered, ...rest]);
  const sum = g.reshape(
    addedUp(g, x.shape[axis], indices, updates),
    front.map((position) => x.shape[position]),
  );
  return axis === 0
    ? sum
    : g.transpose(
        sum,
        axes.map((position) => front.indexOf(position)),
      );
}

/**
 * Rows of zeros with each update, one for every index, added to its row. As ScatterElements: ONNX Runtime runs
 * ScatterND in parallel, and where an index repeats it then loses additions.
 */
function addedUp(g: GraphBuilder, rows: number, indices: Wire, updates: Wire): Wire {
  const count = sizeOf(indices.shape);
  const width = sizeOf(updates.shape) / count;
  const repeated = g.expand(g.reshape(indices, [count, 1]), [count, width]);
  const zeros = g.zeros([rows, width], updates.type);
  return g.scatterElementsAdd(zeros, repeated, g.reshape(updates, [count, width]), 0);
}

/** Index vectors (last axis) as numbers of rows in row-major order. */
function rowNumbers(g: GraphBuilder, sizes: Shape, indices: Wire): Wire {
  const strides = sizes.map((_, axis) => sizeOf(sizes.slice(axis + 1)));
  const wrapped = g.where(g.less(indices, 0), g.add(indices, g.integers(sizes)), indices);
  return g.reduceSum(g.mul(wrapped, g.integers(strides)), [-1]);
}
