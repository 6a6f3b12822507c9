import { floatOf, intOf, ints, intsOf, textOf } from "../../attributes.ts";
import type { GraphBuilder } from "../../builder.ts";
import type { Shape, Wire } from "../../graph.ts";
import { type Window, windowShape } from "../../shapes.ts";
import { cannot, type OperatorContext, type OperatorTable } from "../operator.ts";
import { einsum } from "./einsum.ts";

export const linear: OperatorTable = {
  MatMul: ({ g, in: [a, b] }) => g.matmul(a, b),
  Gemm: ({ g, node, in: [a, b, c] }) => {
    const options = {
      transA: intOf(node, "transA", 0) === 1,
      transB: intOf(node, "transB", 0) === 1,
      alpha: floatOf(node, "alpha", 1),
      beta: floatOf(node, "beta", 1),
    };
    return g.gemm(a, b, c, options);
  },
  Einsum: ({ g, node, in: list }) => einsum(g, node, list, textOf(node, "equation", "")),

  Conv: (context) => {
    const {
      g,
      node,
      in: [x, weight, bias],
    } = context;
    const { strides, pads, dilations } = windowOf(context, weight.shape.slice(2));
    return g.conv(x, weight, bias, { strides, pads, dilations, group: intOf(node, "group", 1) });
  },
  ConvTranspose: (context) => {
    const {
      g,
      node,
      in: [x, weight, bias],
    } = context;
    if (node.attributes.output_shape) cannot(node, "names its output's shape");
    const { strides, pads, dilations } = windowOf(context, weight.shape.slice(2));
    const outputPadding = intsOf(
      node,
      "output_padding",
      strides.map(() => 0),
    );
    return g.convTranspose(x, weight, bias, {
      strides,
      pads,
      dilations,
      outputPadding,
      group: intOf(node, "group", 1),
    });
  },
  GlobalAveragePool: ({ g, in: [x] }) => g.globalAveragePool(x),
  AveragePool: (context) => {
    const {
      g,
      node,
      in: [x],
    } = context;
    const { kernel, strides, pads, dilations } = windowOf(context, intsOf(node, "kernel_shape", []));
    if (dilations.some((step) => step !== 1)) cannot(node, "is dilated");
    const padded = pads.some((size) => size !== 0);
    if (padded && intOf(node, "count_include_pad", 0) === 0)
      cannot(node, "averages at its border over fewer pixels");
    const rank = kernel.length;
    const around = [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)];
    const whole = padded ? g.pad(x, around) : x;
    requireFloor(context, whole.shape, { kernel, strides, pads: pads.map(() => 0), dilations });
    return g.averagePool(whole, { kernel, strides });
  },
  // Without a gradient.
  MaxPool: (context) => {
    const {
      g,
      node,
      in: [x],
    } = context;
    const window = windowOf(context, intsOf(node, "kernel_shape", []));
    if (node.outputs.length > 1) cannot(node, "is asked for its indices");
    requireFloor(context, x.shape, window);
    return g.one("MaxPool", [x], [...x.shape.slice(0, 2), ...windowShape(x.shape.slice(2), window)], {
      kernel_shape: ints(window.kernel),
      strides: ints(window.strides),
      pads: ints(window.pads),
      dilations: ints(window.dilations),
    });
  },

  BatchNormalization: ({ g, node, in: [x, scale, bias, mean, variance] }) => {
    if (intOf(node, "training_mode", 0) === 1)
      cannot(node, "is in training mode; export the model with eval()");
    return g.batchNormalization(x, scale, bias, mean, variance, floatOf(node, "epsilon", 1e-5));
  },
  LayerNormalization: ({ g, node, in: [x, scale, bias] }) =>
    normalised(g, x, scale, bias, floatOf(node, "epsilon", 1e-5), intOf(node, "axis", -1)),
  InstanceNormalization: ({ g, node, in: [x, scale, bias] }) => {
    const axes = [...x.shape.keys()].slice(2);
    const perChannel = (wire: Wire): Wire => g.reshape(wire, [x.shape[1], ...axes.map(() => 1)]);
    const mean = g.reduceMean(x, axes, { keepDimensions: true });
    const centred = g.sub(x, mean);
    const variance = g.reduceMean(g.mul(centred, centred), axes, { keepDimensions: true });
    const deviation = g.sqrt(g.add(variance, floatOf(node, "epsilon", 1e-5)));
    return g.add(g.mul(g.div(centred, deviation), perChannel(scale)), perChannel(bias));
  },
};

/** LayerNormalization with an optional bias. */
export function normalised(
  g: GraphBuilder,
  x: Wire,
  scale: Wire,
  bias: Wire | undefined,
  epsilon: number,
  axis = -1,
): Wire {
  return g.layerNormalization(x, scale, bias ?? g.filled(scale.shape, 0, scale.type), epsilon, axis);
}

/** The window of a convolution or a pooling, with what an automatic padding comes to. */
function windowOf({ node, in: [x] }: OperatorContext, kernel: Shape): Window {
  const strides = intsOf(
    node,
    "strides",
    kernel.map(() => 1),
  );
  const dilations = intsOf(
    node,
    "dilations",
    kernel.map(() => 1),
  );
  const mode = textOf(node, "auto_pad", "NOTSET");
  if (!mode.startsWith("SAME")) {
    const pads = mode === "VALID" ? [] : intsOf(node, "pads", []);
    return { kernel, strides, dilations, pads: pads.length > 0 ? pads : [...kernel, ...kernel].map(() => 0) };
  }
  const missing = kernel.map((size, axis) => {
    const spatial = x.shape[axis + 2];
    const reach = dilations[axis] * (size - 1) + 1;
    return Math.max(0, (Math.ceil(spatial / strides[axis]) - 1) * strides[axis] + reach - spatial);
  });
  const less = missing.map((size) => Math.floor(size / 2));
  const more = missing.map((size, axis) => size - less[axis]);
  return {
    kernel,
    strides,
    dilations,
    pads: mode === "SAME_UPPER" ? [...less, ...more] : [...more, ...less],
  };
}

function requireFloor({ node }: OperatorContext, shape: Shape, window: Window): void {
  if (intOf(node, "ceil_mode", 0) === 0) return;
  const even = shape.slice(2).every((size, axis) => {
    const padded = size + window.pads[axis] + window.pads[axis + window.kernel.length];
    return (padded - window.kernel[axis]) % window.strides[axis] === 0;
  });
  if (!even) cannot(node, "rounds its windows up");
}
