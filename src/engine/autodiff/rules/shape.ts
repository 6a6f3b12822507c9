import { intOf, intsOf, textOf } from "../../onnx/attributes.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Node, Wire } from "../../onnx/graph.ts";
import { axisOf, type Range, sliceRange } from "../../onnx/shapes.ts";
import { constantOf, type Rule, unsupported } from "../rule.ts";

export const shape = {
  // The same elements in another shape.
  Reshape: ({ g, in: [x], grad: [dy] }) => [g.reshape(dy, x.shape)],
  Flatten: ({ g, in: [x], grad: [dy] }) => [g.reshape(dy, x.shape)],
  Squeeze: ({ g, in: [x], grad: [dy] }) => [g.reshape(dy, x.shape)],
  Unsqueeze: ({ g, in: [x], grad: [dy] }) => [g.reshape(dy, x.shape)],

  // y = x permuted   x̄ = ȳ permuted back
  Transpose: ({ g, node, in: [x], grad: [dy] }) => {
    const permutation = intsOf(node, "perm", [...x.shape.keys()].toReversed());
    return [
      g.transpose(
        dy,
        permutation.map((_, axis) => permutation.indexOf(axis)),
      ),
    ];
  },

  // y = x repeated   x̄ = Σ ȳ over the repeats
  Expand: ({ g, in: [x], grad: [dy] }) => [g.sumTo(dy, x.shape)],

  // y = x[l : h]     x̄ = ȳ between zeros
  Slice: ({ g, node, in: [x, ...lists], grad: [dy] }) => {
    const ranges = sliceRanges(g, node, x, lists);
    const spread = x.shape.reduce((wire, _, axis) => spaced(g, wire, axis, ranges[axis]), dy);
    const begin = ranges.map(firstOf);
    const end = x.shape.map((size, axis) => size - begin[axis] - spread.shape[axis]);
    return [[...begin, ...end].every((size) => size === 0) ? spread : g.pad(spread, [...begin, ...end])];
  },

  // y = x between zeros      x̄ = ȳ[l : h]
  Pad: ({ g, node, in: [x, pads, , axes], grad: [dy] }) => {
    if (textOf(node, "mode", "constant") !== "constant" || axes) unsupported(node, "with a mode or axes");
    const sizes = constantOf(g, node, pads);
    if (sizes.some((size) => size < 0))
      return [
        g.pad(
          dy,
          sizes.map((size) => 0 - size),
        ),
      ];
    const begin = sizes.slice(0, x.shape.length);
    return [
      g.slice(
        dy,
        begin,
        begin.map((start, axis) => start + x.shape[axis]),
      ),
    ];
  },

  // y = (a, b, …)    ā = its part of ȳ
  Concat: ({ g, node, in: list, grad: [dy] }) => {
    const axis = axisOf(intOf(node, "axis", 0), dy.shape.length);
    return g.split(
      dy,
      list.map((wire) => wire.shape[axis]),
      axis,
    );
  },

  // (a, b, …) = x    x̄ = (ā, b̄, …)
  Split: ({ g, node, out, grad }) => {
    const whole = out.map((wire, index) => grad[index] ?? g.zeros(wire.shape, wire.type));
    return [g.concat(whole, intOf(node, "axis", 0))];
  },

  // y = pixels repeated      x̄ = Σ ȳ over the repeats
  Resize: ({ g, node, in: [x], out: [y], grad: [dy] }) => {
    const factors = y.shape.slice(2).map((size, axis) => size / x.shape[axis + 2]);
    const whole = x.shape.length === 4 && factors.every(Number.isInteger);
    if (!whole || textOf(node, "mode", "nearest") !== "nearest")
      unsupported(node, "but nearest by whole factors");
    const [rows, columns] = factors;
    return [g.mul(g.averagePool(dy, { kernel: [rows, columns] }), rows * columns)];
  },

  // y[c, h·b + i, w·b + j] = x[c·b² + i·b + j, h, w]
  DepthToSpace: ({ g, node, in: [x], grad: [dy] }) => {
    const [batch, channels, height, width] = x.shape;
    const block = intOf(node, "blocksize", 1);
    const depth = channels / (block * block);
    const apart = g.reshape(dy, [batch, depth, height, block, width, block]);
    const channelsFirst = textOf(node, "mode", "DCR") === "CRD";
    return [g.reshape(g.transpose(apart, channelsFirst ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]), x.shape)];
  },
} satisfies Record<string, Rule>;

/** For every axis of x what a Slice took of it. */
function sliceRanges(g: GraphBuilder, node: Node, x: Wire, lists: readonly Wire[]): Range[] {
  const [starts, ends, axes = starts.map((_, axis) => axis), steps = starts.map(() => 1)] = lists.map(
    (wire) => (wire ? constantOf(g, node, wire) : undefined),
  ) as [number[], number[], number[]?, number[]?];
  const ranges = x.shape.map((size): Range => ({ start: 0, step: 1, count: size }));
  axes.forEach((axis, index) => {
    const normal = axisOf(axis, x.shape.length);
    ranges[normal] = sliceRange(x.shape[normal], starts[index], ends[index], steps[index]);
  });
  return ranges;
}

/** The smallest index that a range reaches. */
function firstOf({ start, step, count }: Range): number {
  return step > 0 ? start : start + step * (count - 1);
}

/** Turns one axis of a slice into increasing order and puts its elements apart by the step. */
function spaced(g: GraphBuilder, wire: Wire, axis: number, { step, count }: Range): Wire {
  const forward = step > 0 ? wire : g.slice(wire, [-1], [-count - 1], [axis], [-1]);
  const distance = Math.abs(step);
  if (distance === 1) return forward;
  const rank = wire.shape.length + 1;
  const pads = Array(2 * rank)
    .fill(0)
    .with(rank + axis + 1, distance - 1);
  const apart = g.pad(g.unsqueeze(forward, [axis + 1]), pads);
  const merged = g.reshape(apart, wire.shape.with(axis, count * distance));
  return g.slice(merged, [0], [(count - 1) * distance + 1], [axis]);
}
