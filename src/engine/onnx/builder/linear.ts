import { float, int, ints } from "../attributes.ts";
import type { Shape, Wire } from "../graph.ts";
import { axisOf, convShape, convTransposeShape, matmulShape, type Window, windowShape } from "../shapes.ts";
import { ReduceBuilder } from "./reduce.ts";

export interface ConvOptions {
  readonly strides?: Shape;
  /** Begin of every spatial axis, then end of every one. */
  readonly pads?: Shape;
  readonly dilations?: Shape;
  readonly group?: number;
}

export interface ConvTransposeOptions extends ConvOptions {
  readonly outputPadding?: Shape;
}

export interface PoolOptions {
  readonly kernel: Shape;
  readonly strides?: Shape;
}

export interface GemmOptions {
  readonly transA?: boolean;
  readonly transB?: boolean;
  readonly alpha?: number;
  readonly beta?: number;
}

/** Operators that multiply and sum: matrices, convolutions, means over windows, normalisations. */
export class LinearBuilder extends ReduceBuilder {
  /** Matrix product of the last two axes; leading axes broadcast. */
  matmul(a: Wire, b: Wire): Wire {
    return this.one("MatMul", [a, b], matmulShape(a.shape, b.shape));
  }

  /** α·a·b + β·c for matrices, either transposed on the way in. */
  gemm(a: Wire, b: Wire, c?: Wire, options: GemmOptions = {}): Wire {
    const { transA = false, transB = false, alpha = 1, beta = 1 } = options;
    const shape = matmulShape(
      transA ? a.shape.toReversed() : a.shape,
      transB ? b.shape.toReversed() : b.shape,
    );
    return this.one("Gemm", c ? [a, b, c] : [a, b], shape, {
      transA: int(transA ? 1 : 0),
      transB: int(transB ? 1 : 0),
      alpha: float(alpha),
      beta: float(beta),
    });
  }

  /** x [N,C,H,W] by weight [O, C/group, kH, kW], and a bias [O]. */
  conv(x: Wire, weight: Wire, bias?: Wire, options: ConvOptions = {}): Wire {
    const window = windowOf(weight.shape.slice(2), options);
    const group = options.group ?? 1;
    const shape = convShape(x.shape, weight.shape, group, window);
    return this.one("Conv", bias ? [x, weight, bias] : [x, weight], shape, windowAttributes(window, group));
  }

  /** x [N,C,H,W] by weight [C, O/group, kH, kW]: the transpose of conv as a linear map. */
  convTranspose(x: Wire, weight: Wire, bias?: Wire, options: ConvTransposeOptions = {}): Wire {
    const window = windowOf(weight.shape.slice(2), options);
    const group = options.group ?? 1;
    const outputPadding = options.outputPadding ?? window.kernel.map(() => 0);
    const shape = convTransposeShape(x.shape, weight.shape, group, window, outputPadding);
    return this.one("ConvTranspose", bias ? [x, weight, bias] : [x, weight], shape, {
      ...windowAttributes(window, group),
      output_padding: ints(outputPadding),
    });
  }

  /** Mean over windows that step by the kernel unless strides are given; no padding. */
  averagePool(x: Wire, { kernel, strides = kernel }: PoolOptions): Wire {
    const window = windowOf(kernel, { strides });
    const shape = [...x.shape.slice(0, 2), ...windowShape(x.shape.slice(2), window)];
    return this.one("AveragePool", [x], shape, { kernel_shape: ints(kernel), strides: ints(strides) });
  }

  /** Mean over all spatial axes, which stay with size 1. */
  globalAveragePool(x: Wire): Wire {
    return this.one("GlobalAveragePool", [x], [...x.shape.slice(0, 2), ...x.shape.slice(2).map(() => 1)]);
  }

  /** (x − mean) / √(variance + ε) · scale + bias for every channel (axis 1), with running statistics. */
  batchNormalization(x: Wire, scale: Wire, bias: Wire, mean: Wire, variance: Wire, epsilon = 1e-5): Wire {
    const inputs = [x, scale, bias, mean, variance];
    return this.one("BatchNormalization", inputs, x.shape, { epsilon: float(epsilon) });
  }

  /**
   * The same with the statistics of x itself: [y, mean, variance] over all axes but the channels', the variance that
   * of a whole population (divided by n).
   */
  batchNormalizationOfBatch(x: Wire, scale: Wire, bias: Wire, epsilon = 1e-5): [Wire, Wire, Wire] {
    const attributes = { epsilon: float(epsilon), momentum: float(0), training_mode: int(1) };
    // Without momentum, the "running" statistics that the node gives are those of this batch. ONNX Runtime writes them
    // over the old ones, so those must be values of this node alone, and no constants.
    const inputs = [x, scale, bias, this.mul(scale, 0), this.mul(bias, 0)];
    return this.node("BatchNormalization", inputs, attributes, [x, scale, scale]) as [Wire, Wire, Wire];
  }

  /** (x − mean) / √(variance + ε) · scale + bias over the axes from `axis` on, which scale and bias have. */
  layerNormalization(x: Wire, scale: Wire, bias: Wire, epsilon = 1e-5, axis = -1): Wire {
    const from = axisOf(axis, x.shape.length);
    const statistics = { type: x.type, shape: x.shape.map((size, index) => (index < from ? size : 1)) };
    const attributes = { axis: int(axis), epsilon: float(epsilon) };
    // The statistics are declared for the gradient; prune drops them where nobody reads them.
    return this.node("LayerNormalization", [x, scale, bias], attributes, [x, statistics, statistics])[0];
  }
}

function windowOf(kernel: Shape, options: ConvOptions): Window {
  return {
    kernel,
    strides: options.strides ?? kernel.map(() => 1),
    pads: options.pads ?? [...kernel, ...kernel].map(() => 0),
    dilations: options.dilations ?? kernel.map(() => 1),
  };
}

function windowAttributes(window: Window, group: number) {
  return {
    kernel_shape: ints(window.kernel),
    strides: ints(window.strides),
    pads: ints(window.pads),
    dilations: ints(window.dilations),
    group: int(group),
  };
}
