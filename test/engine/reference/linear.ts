import { floatOf, intOf, intsOf } from "../../../src/engine/onnx/attributes.ts";
import type { Node } from "../../../src/engine/onnx/graph.ts";
import { broadcast } from "../../../src/engine/onnx/shapes.ts";
import type { Operator } from "./operator.ts";
import { at, broadcastAt, count, each, make, offsetOf, paddedAt, type Value } from "./values.ts";

function sum(length: number, term: (index: number) => number): number {
  let total = 0;
  for (let index = 0; index < length; index += 1) total += term(index);
  return total;
}

function matmul(a: Value, b: Value): Value {
  const inner = a.shape[a.shape.length - 1];
  const shape = [
    ...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)),
    a.shape[a.shape.length - 2],
    b.shape[b.shape.length - 1],
  ];
  return make(shape, (index) => {
    const outer = index.slice(0, -2);
    const [row, column] = index.slice(-2);
    const left = outer
      .slice(outer.length - a.shape.length + 2)
      .map((i, axis) => (a.shape[axis] === 1 ? 0 : i));
    const right = outer
      .slice(outer.length - b.shape.length + 2)
      .map((i, axis) => (b.shape[axis] === 1 ? 0 : i));
    return sum(inner, (k) => at(a, [...left, row, k]) * at(b, [...right, k, column]));
  });
}

function transposed(value: Value): Value {
  return make(value.shape.toReversed(), ([row, column]) => at(value, [column, row]));
}

function geometry(node: Node, kernel: readonly number[]) {
  const ones = kernel.map(() => 1);
  return {
    kernel,
    strides: intsOf(node, "strides", ones),
    pads: intsOf(
      node,
      "pads",
      [...kernel, ...kernel].map(() => 0),
    ),
    dilations: intsOf(node, "dilations", ones),
    group: intOf(node, "group", 1),
  };
}

/** Mean and population variance of every channel. */
function batchStatistics(x: Value): [Value, Value] {
  const { shape } = x;
  const [mean, variance] = [make([shape[1]], () => 0), make([shape[1]], () => 0)];
  const share = shape[1] / count(shape);
  each(shape, (index) => {
    mean.data[index[1]] += at(x, index) * share;
  });
  each(shape, (index) => {
    variance.data[index[1]] += (at(x, index) - mean.data[index[1]]) ** 2 * share;
  });
  return [mean, variance];
}

export const linear: Readonly<Record<string, Operator>> = {
  MatMul: ({ inputs: [a, b], outputShapes: [shape] }) => {
    const left = a.shape.length === 1 ? { ...a, shape: [1, ...a.shape] } : a;
    const right = b.shape.length === 1 ? { ...b, shape: [...b.shape, 1] } : b;
    return [{ shape, data: matmul(left, right).data }];
  },

  Gemm: ({ node, inputs: [a, b, c] }) => {
    const left = intOf(node, "transA", 0) ? transposed(a) : a;
    const right = intOf(node, "transB", 0) ? transposed(b) : b;
    const product = matmul(left, right);
    const [alpha, beta] = [floatOf(node, "alpha", 1), floatOf(node, "beta", 1)];
    const bias = (index: readonly number[]): number => (c ? beta * broadcastAt(c, index) : 0);
    return [make(product.shape, (index) => alpha * at(product, index) + bias(index))];
  },

  Conv: ({ node, inputs: [x, w, b], outputShapes: [shape] }) => {
    const { kernel, strides, pads, dilations, group } = geometry(node, w.shape.slice(2));
    const [perGroupOut, perGroupIn] = [w.shape[0] / group, w.shape[1]];
    return [
      make(shape, ([n, o, ...pixel]) => {
        let total = b ? b.data[o] : 0;
        each([perGroupIn, ...kernel], ([i, ...tap]) => {
          const channel = Math.floor(o / perGroupOut) * perGroupIn + i;
          const source = pixel.map((p, axis) => p * strides[axis] + tap[axis] * dilations[axis] - pads[axis]);
          total += paddedAt(x, [n, channel, ...source]) * at(w, [o, i, ...tap]);
        });
        return total;
      }),
    ];
  },

  ConvTranspose: ({ node, inputs: [x, w, b], outputShapes: [shape] }) => {
    const { kernel, strides, pads, dilations, group } = geometry(node, w.shape.slice(2));
    const [perGroupIn, perGroupOut] = [w.shape[0] / group, w.shape[1]];
    const y = make(shape, ([, o]) => (b ? b.data[o] : 0));
    each(x.shape, ([n, i, ...pixel]) => {
      const value = at(x, [n, i, ...pixel]);
      each([perGroupOut, ...kernel], ([o, ...tap]) => {
        const target = pixel.map((p, axis) => p * strides[axis] + tap[axis] * dilations[axis] - pads[axis]);
        if (target.some((position, axis) => position < 0 || position >= shape[axis + 2])) return;
        const channel = Math.floor(i / perGroupIn) * perGroupOut + o;
        y.data[offsetOf(shape, [n, channel, ...target])] += value * at(w, [i, o, ...tap]);
      });
    });
    return [y];
  },

  AveragePool: ({ node, inputs: [x], outputShapes: [shape] }) => {
    const { kernel, strides, pads } = geometry(node, intsOf(node, "kernel_shape", []));
    return [
      make(shape, ([n, c, ...pixel]) => {
        let total = 0;
        each(kernel, (tap) => {
          const source = pixel.map((p, axis) => p * strides[axis] + tap[axis] - pads[axis]);
          total += paddedAt(x, [n, c, ...source]);
        });
        return total / count(kernel);
      }),
    ];
  },

  GlobalAveragePool: ({ inputs: [x], outputShapes: [shape] }) => {
    const spatial = x.shape.slice(2);
    return [
      make(shape, ([n, c]) => {
        let total = 0;
        each(spatial, (pixel) => {
          total += at(x, [n, c, ...pixel]);
        });
        return total / count(spatial);
      }),
    ];
  },

  BatchNormalization: ({ node, inputs: [x, scale, bias, ...running] }) => {
    const training = intOf(node, "training_mode", 0) === 1;
    const [mean, variance] = training ? batchStatistics(x) : running;
    const momentum = floatOf(node, "momentum", 0.9);
    const moved = (old: Value, now: Value): Value =>
      make(old.shape, ([c]) => momentum * old.data[c] + (1 - momentum) * now.data[c]);
    const epsilon = floatOf(node, "epsilon", 1e-5);
    return [
      make(x.shape, (index) => {
        const c = index[1];
        const hat = (at(x, index) - mean.data[c]) / Math.sqrt(variance.data[c] + epsilon);
        return hat * scale.data[c] + bias.data[c];
      }),
      ...(training ? [moved(running[0], mean), moved(running[1], variance)] : []),
    ];
  },

  LayerNormalization: ({ node, inputs: [x, scale, bias] }) => {
    const axis = intOf(node, "axis", -1);
    const from = axis < 0 ? axis + x.shape.length : axis;
    const [outer, inner] = [x.shape.slice(0, from), x.shape.slice(from)];
    const length = count(inner);
    const row = (index: readonly number[]): Float64Array => {
      const start = offsetOf(outer, index.slice(0, from)) * length;
      return x.data.subarray(start, start + length);
    };
    const reduced = [...outer, ...inner.map(() => 1)];
    const mean = make(reduced, (index) => sum(length, (i) => row(index)[i]) / length);
    const inverse = make(reduced, (index) => {
      const center = at(mean, index);
      const variance = sum(length, (i) => (row(index)[i] - center) ** 2) / length;
      return 1 / Math.sqrt(variance + floatOf(node, "epsilon", 1e-5));
    });
    const y = make(x.shape, (index) => {
      const hat = (at(x, index) - broadcastAt(mean, index)) * broadcastAt(inverse, index);
      return hat * broadcastAt(scale, index) + (bias ? broadcastAt(bias, index) : 0);
    });
    return [y, mean, inverse];
  },
};
