import { intOf, intsOf, textOf } from "../../../src/engine/onnx/attributes.ts";
import type { Operator } from "./operator.ts";
import { at, broadcastAt, each, make, offsetOf, type Value } from "./values.ts";

const reshaped: Operator = ({ inputs: [x], outputShapes: [shape] }) => [{ shape, data: x.data }];

const wrapped = (position: number, size: number): number => (position < 0 ? position + size : position);

export const shape: Readonly<Record<string, Operator>> = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,

  Transpose: ({ node, inputs: [x], outputShapes: [shape] }) => {
    const permutation = intsOf(node, "perm", [...shape.keys()].toReversed());
    return [
      make(shape, (index) =>
        at(
          x,
          permutation.map((_, axis) => index[permutation.indexOf(axis)]),
        ),
      ),
    ];
  },

  Expand: ({ inputs: [x], outputShapes: [shape] }) => [make(shape, (index) => broadcastAt(x, index))],

  Slice: ({ inputs: [x, starts, , axes, steps], outputShapes: [shape] }) => {
    const first = x.shape.map(() => 0);
    const step = x.shape.map(() => 1);
    starts.data.forEach((start, position) => {
      const axis = wrapped(axes ? axes.data[position] : position, x.shape.length);
      const size = x.shape[axis];
      first[axis] = Math.min(Math.max(wrapped(start, size), 0), size - 1);
      step[axis] = steps ? steps.data[position] : 1;
    });
    return [
      make(shape, (index) =>
        at(
          x,
          index.map((i, axis) => first[axis] + i * step[axis]),
        ),
      ),
    ];
  },

  Pad: ({ inputs: [x, pads, fill], outputShapes: [shape] }) => [
    make(shape, (index) => {
      const source = index.map((i, axis) => i - pads.data[axis]);
      const inside = source.every((position, axis) => position >= 0 && position < x.shape[axis]);
      return inside ? at(x, source) : (fill?.data[0] ?? 0);
    }),
  ],

  Concat: ({ node, inputs, outputShapes: [shape] }) => {
    const axis = wrapped(intOf(node, "axis", 0), shape.length);
    return [
      make(shape, (index) => {
        const inner = [...index];
        let part = 0;
        while (inner[axis] >= inputs[part].shape[axis]) {
          inner[axis] -= inputs[part].shape[axis];
          part += 1;
        }
        return at(inputs[part], inner);
      }),
    ];
  },

  Split: ({ node, inputs: [x], outputShapes }) => {
    const axis = wrapped(intOf(node, "axis", 0), x.shape.length);
    let begin = 0;
    return outputShapes.map((shape): Value => {
      const start = begin;
      begin += shape[axis];
      return make(shape, (index) => at(x, (index as number[]).with(axis, index[axis] + start)));
    });
  },

  Resize: ({ inputs: [x], outputShapes: [shape] }) => [
    make(shape, (index) =>
      at(
        x,
        index.map((i, axis) => Math.floor((i * x.shape[axis]) / shape[axis])),
      ),
    ),
  ],

  DepthToSpace: ({ node, inputs: [x], outputShapes: [shape] }) => {
    if (textOf(node, "mode", "DCR") !== "CRD") throw new Error("only CRD is interpreted");
    const block = intOf(node, "blocksize", 1);
    return [
      make(shape, ([n, c, h, w]) => {
        const channel = c * block * block + (h % block) * block + (w % block);
        return at(x, [n, channel, Math.floor(h / block), Math.floor(w / block)]);
      }),
    ];
  },

  Gather: ({ node, inputs: [x, indices], outputShapes: [shape] }) => {
    const axis = wrapped(intOf(node, "axis", 0), x.shape.length);
    const depth = indices.shape.length;
    return [
      make(shape, (index) => {
        const chosen = wrapped(at(indices, index.slice(axis, axis + depth)), x.shape[axis]);
        return at(x, [...index.slice(0, axis), chosen, ...index.slice(axis + depth)]);
      }),
    ];
  },

  GatherElements: ({ node, inputs: [x, indices] }) => {
    const axis = wrapped(intOf(node, "axis", 0), x.shape.length);
    const chosen = (index: readonly number[]): number => wrapped(at(indices, index), x.shape[axis]);
    return [make(indices.shape, (index) => at(x, (index as number[]).with(axis, chosen(index))))];
  },

  GatherND: ({ inputs: [x, indices], outputShapes: [shape] }) => [
    make(shape, (index) => {
      const outer = indices.shape.length - 1;
      return at(x, [...address(x, indices, index.slice(0, outer)), ...index.slice(outer)]);
    }),
  ],

  ScatterND: ({ node, inputs: [x, indices, updates] }) => {
    const y = { shape: x.shape, data: x.data.slice() };
    const adds = textOf(node, "reduction", "none") === "add" ? 1 : 0;
    const outer = indices.shape.length - 1;
    each(updates.shape, (index) => {
      const target = [...address(x, indices, index.slice(0, outer)), ...index.slice(outer)];
      const offset = offsetOf(y.shape, target);
      y.data[offset] = adds * y.data[offset] + at(updates, index);
    });
    return [y];
  },

  ScatterElements: ({ node, inputs: [x, indices, updates] }) => {
    const y = { shape: x.shape, data: x.data.slice() };
    const adds = textOf(node, "reduction", "none") === "add" ? 1 : 0;
    const axis = wrapped(intOf(node, "axis", 0), x.shape.length);
    each(updates.shape, (index) => {
      const target = (index as number[]).with(axis, wrapped(at(indices, index), x.shape[axis]));
      const offset = offsetOf(y.shape, target);
      y.data[offset] = adds * y.data[offset] + at(updates, index);
    });
    return [y];
  },
};

/** The leading position that the last axis of the indices spells out. */
function address(x: Value, indices: Value, outer: readonly number[]): number[] {
  const depth = indices.shape[indices.shape.length - 1];
  return Array.from({ length: depth }, (_, axis) => wrapped(at(indices, [...outer, axis]), x.shape[axis]));
}
