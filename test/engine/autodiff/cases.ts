import type { DifferentiableOp } from "../../../src/engine/autodiff/rules/index.ts";
import type { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import type { Wire } from "../../../src/engine/onnx/graph.ts";
import { int64 } from "../../../src/engine/onnx/tensor.ts";

/** A function of some inputs, whose every derivative the rules have to get right. */
export interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly f: (g: GraphBuilder, ...inputs: Wire[]) => Wire;
  /** Draws inputs from (0.3, 1.8) instead of (−1.5, 1.5). */
  readonly positive?: true;
}

const indices = (g: GraphBuilder, shape: readonly number[], values: readonly number[]): Wire =>
  g.constant(int64(shape, values));

const image = [1, 2, 4, 5];

/** Every rule has its cases, or this table does not compile. */
export const cases = {
  Add: [
    { shapes: [[2, 3], [3]], f: (g, a, b) => g.add(a, b) },
    { shapes: [[2]], f: (g, a) => g.add(a, a) },
  ],
  Sub: [
    {
      shapes: [
        [2, 1],
        [1, 3],
      ],
      f: (g, a, b) => g.sub(a, b),
    },
  ],
  Mul: [
    {
      shapes: [
        [2, 1],
        [1, 3],
      ],
      f: (g, a, b) => g.mul(a, b),
    },
    { shapes: [[5]], f: (g, x) => g.mul(x, g.sigmoid(x)) },
    { shapes: [[5]], f: (g, x) => g.mul(g.sigmoid(g.mul(x, 1.702)), x) },
    { shapes: [[5], [5]], f: (g, x, y) => g.mul(x, g.sigmoid(g.mul(y, 2))) },
    { shapes: [[5]], f: (g, x) => g.mul(x, g.add(g.erf(g.div(x, Math.SQRT2)), 1)) },
    { shapes: [[5]], f: (g, x) => g.mul(g.add(g.erf(g.mul(x, 0.8)), 1), x) },
    { shapes: [[5]], f: (g, x) => g.mul(x, g.add(g.erf(x), 0.5)) },
  ],
  Div: [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      f: (g, a, b) => g.div(a, b),
      positive: true,
    },
  ],
  Pow: [
    { shapes: [[4]], f: (g, x) => g.pow(x, 2) },
    { shapes: [[4]], f: (g, x) => g.pow(x, 3) },
    { shapes: [[4]], f: (g, x) => g.pow(x, -1.5), positive: true },
    { shapes: [[2, 3], [3]], f: (g, x, p) => g.pow(x, p), positive: true },
  ],
  Neg: [{ shapes: [[4]], f: (g, x) => g.neg(x) }],
  Abs: [{ shapes: [[4]], f: (g, x) => g.abs(x) }],
  Exp: [{ shapes: [[4]], f: (g, x) => g.exp(x) }],
  Log: [{ shapes: [[4]], f: (g, x) => g.log(x), positive: true }],
  Sqrt: [{ shapes: [[4]], f: (g, x) => g.sqrt(x), positive: true }],
  Sin: [{ shapes: [[4]], f: (g, x) => g.sin(x) }],
  Cos: [{ shapes: [[4]], f: (g, x) => g.cos(x) }],
  Tanh: [{ shapes: [[4]], f: (g, x) => g.tanh(x) }],
  Sigmoid: [{ shapes: [[4]], f: (g, x) => g.sigmoid(x) }],
  Erf: [{ shapes: [[4]], f: (g, x) => g.erf(g.mul(x, 2)) }],
  HardSigmoid: [{ shapes: [[8]], f: (g, x) => g.mul(g.hardSigmoid(x, 0.9, 0.4), x) }],
  Relu: [
    { shapes: [[6]], f: (g, x) => g.mul(g.relu(x), x) },
    { shapes: [[1, 16, 2, 1]], f: (g, x) => g.mul(g.relu(x), x) },
  ],
  Clip: [{ shapes: [[8]], f: (g, x) => g.mul(g.clip(x, -0.5, 0.7), x) }],
  Max: [
    { shapes: [[2, 3], [3]], f: (g, a, b) => g.max(a, b) },
    { shapes: [[4], [4]], f: (g, a, b) => g.max(g.mul(a, b), a, 0.1) },
  ],
  Min: [{ shapes: [[2, 3], [3]], f: (g, a, b) => g.min(g.mul(a, b), b) }],
  Where: [{ shapes: [[2, 3], [3]], f: (g, a, b) => g.where(g.greater(a, b), g.mul(a, a), b) }],
  Sign: [{ shapes: [[4]], f: (g, x) => g.mul(g.sign(x), x) }],
  Floor: [{ shapes: [[4]], f: (g, x) => g.mul(g.floor(x), x) }],
  Round: [{ shapes: [[4]], f: (g, x) => g.mul(g.round(x), x) }],
  Identity: [{ shapes: [[4]], f: (g, x) => g.identity(x) }],
  Cast: [{ shapes: [[4]], f: (g, x) => g.cast(g.cast(x, "float64"), x.type) }],

  MatMul: [
    {
      shapes: [
        [2, 3],
        [3, 4],
      ],
      f: (g, a, b) => g.matmul(a, b),
    },
    {
      shapes: [
        [2, 2, 3],
        [3, 4],
      ],
      f: (g, a, b) => g.matmul(a, b),
    },
    {
      shapes: [
        [2, 1, 2, 3],
        [2, 3, 2],
      ],
      f: (g, a, b) => g.matmul(a, b),
    },
    {
      shapes: [
        [2, 3],
        [2, 3, 2],
      ],
      f: (g, a, b) => g.matmul(a, b),
    },
    { shapes: [[3], [3, 2]], f: (g, a, b) => g.matmul(a, b) },
    { shapes: [[2, 2, 3], [3]], f: (g, a, b) => g.matmul(a, b) },
    { shapes: [[3], [3]], f: (g, a, b) => g.matmul(a, b) },
  ],
  Gemm: [
    { shapes: [[2, 3], [3, 4], [4]], f: (g, a, b, c) => g.gemm(a, b, c, { alpha: 0.5, beta: 2 }) },
    {
      shapes: [
        [3, 2],
        [3, 4],
      ],
      f: (g, a, b) => g.gemm(a, b, undefined, { transA: true }),
    },
    {
      shapes: [
        [2, 3],
        [4, 3],
        [2, 1],
      ],
      f: (g, a, b, c) => g.gemm(a, b, c, { transB: true }),
    },
    {
      shapes: [
        [3, 2],
        [4, 3],
      ],
      f: (g, a, b) => g.gemm(a, b, undefined, { transA: true, transB: true }),
    },
  ],

  Conv: [
    { shapes: [image, [3, 2, 3, 3], [3]], f: (g, x, w, b) => g.conv(x, w, b, { pads: [1, 1, 1, 1] }) },
    {
      shapes: [
        [2, 2, 3, 3],
        [3, 2, 1, 1],
      ],
      f: (g, x, w) => g.conv(x, w),
    },
    { shapes: [image, [2, 2, 3, 2]], f: (g, x, w) => g.conv(x, w, undefined, { pads: [0, 1, 2, 0] }) },
    { shapes: [image, [2, 2, 1, 1]], f: (g, x, w) => g.conv(x, w, undefined, { pads: [1, 0, 1, 0] }) },
    {
      shapes: [
        [1, 2, 5, 6],
        [2, 2, 3, 3],
      ],
      f: (g, x, w) => g.conv(x, w, undefined, { strides: [2, 2], pads: [1, 1, 1, 1] }),
    },
    {
      shapes: [
        [1, 2, 5, 5],
        [2, 2, 2, 2],
      ],
      f: (g, x, w) => g.conv(x, w, undefined, { dilations: [2, 2] }),
    },
    {
      shapes: [
        [2, 2, 5, 4],
        [3, 2, 2, 2],
      ],
      f: (g, x, w) => g.conv(x, w, undefined, { strides: [2, 2] }),
    },
    {
      shapes: [[1, 4, 3, 3], [6, 2, 2, 2], [6]],
      f: (g, x, w, b) => g.conv(x, w, b, { group: 2, pads: [1, 1, 0, 0] }),
    },
    {
      shapes: [
        [2, 6, 1, 2],
        [5, 6, 3, 3],
      ],
      f: (g, x, w) => g.conv(x, w, undefined, { pads: [1, 1, 1, 1] }),
    },
    {
      shapes: [
        [2, 2, 6],
        [3, 2, 3],
      ],
      f: (g, x, w) => g.conv(x, w, undefined, { pads: [1, 1] }),
    },
  ],
  ConvTranspose: [
    { shapes: [[1, 2, 3, 2], [2, 3, 3, 3], [3]], f: (g, x, w, b) => g.convTranspose(x, w, b) },
    {
      shapes: [
        [1, 4, 2, 3],
        [4, 1, 3, 3],
      ],
      f: (g, x, w) =>
        g.convTranspose(x, w, undefined, {
          strides: [2, 2],
          pads: [1, 1, 1, 1],
          outputPadding: [1, 0],
          group: 2,
        }),
    },
  ],
  AveragePool: [
    { shapes: [[1, 2, 4, 6]], f: (g, x) => g.averagePool(x, { kernel: [2, 3] }) },
    { shapes: [[1, 2, 5, 5]], f: (g, x) => g.averagePool(x, { kernel: [2, 2] }) },
    { shapes: [[1, 2, 5, 5]], f: (g, x) => g.averagePool(x, { kernel: [3, 2], strides: [2, 1] }) },
  ],
  GlobalAveragePool: [{ shapes: [image], f: (g, x) => g.globalAveragePool(x) }],

  BatchNormalization: [
    {
      shapes: [[2, 3, 2, 2], [3], [3], [3], [3]],
      f: (g, x, scale, bias, mean, variance) => g.batchNormalization(x, scale, bias, mean, variance),
      positive: true,
    },
    {
      shapes: [[3, 2, 2, 2], [2], [2]],
      f: (g, x, scale, bias) => g.batchNormalizationOfBatch(x, scale, bias)[0],
    },
    {
      shapes: [[3, 2, 2], [2], [2]],
      f: (g, x, scale, bias) => {
        const [y, mean, variance] = g.batchNormalizationOfBatch(x, scale, bias, 1e-3);
        return g.mul(g.reduceSum(y, [0, 2]), g.mul(g.add(mean, scale), g.mul(variance, variance)));
      },
    },
  ],
  LayerNormalization: [
    { shapes: [[2, 5], [5], [5]], f: (g, x, scale, bias) => g.layerNormalization(x, scale, bias) },
    {
      shapes: [
        [2, 2, 3],
        [2, 3],
        [2, 3],
      ],
      f: (g, x, s, b) => g.layerNormalization(x, s, b, 1e-3, -2),
    },
  ],

  ReduceSum: [
    { shapes: [[2, 3, 2]], f: (g, x) => g.reduceSum(x, [0, -1]) },
    { shapes: [[2, 3]], f: (g, x) => g.reduceSum(x) },
  ],
  ReduceMean: [{ shapes: [[2, 3]], f: (g, x) => g.reduceMean(x, [1], { keepDimensions: true }) }],
  ReduceMax: [{ shapes: [[2, 3]], f: (g, x) => g.reduceMax(g.mul(x, x), [1]) }],
  ReduceMin: [{ shapes: [[2, 3]], f: (g, x) => g.reduceMin(g.mul(x, x), [0]) }],
  ReduceL2: [
    { shapes: [[2, 3]], f: (g, x) => g.reduceL2(x, [1]) },
    { shapes: [[2, 3]], f: (g, x) => g.normalize(x) },
  ],
  Softmax: [
    { shapes: [[2, 4]], f: (g, x) => g.softmax(x) },
    { shapes: [[3, 2]], f: (g, x) => g.softmax(x, 0) },
  ],
  LogSoftmax: [{ shapes: [[2, 4]], f: (g, x) => g.logSoftmax(x) }],

  Reshape: [{ shapes: [[2, 6]], f: (g, x) => g.reshape(x, [0, 3, -1]) }],
  Flatten: [{ shapes: [[2, 3, 2]], f: (g, x) => g.one("Flatten", [x], [2, 6]) }],
  Squeeze: [{ shapes: [[2, 1, 3]], f: (g, x) => g.squeeze(x, [1]) }],
  Unsqueeze: [{ shapes: [[2, 3]], f: (g, x) => g.unsqueeze(x, [0, 2]) }],
  Transpose: [
    { shapes: [[2, 3, 4]], f: (g, x) => g.transpose(x, [1, 2, 0]) },
    { shapes: [[2, 3, 4]], f: (g, x) => g.transpose(x) },
  ],
  Expand: [{ shapes: [[2, 1]], f: (g, x) => g.expand(x, [3, 2, 4]) }],
  Slice: [
    { shapes: [[4, 5]], f: (g, x) => g.slice(x, [1], [3]) },
    { shapes: [[4, 6]], f: (g, x) => g.slice(x, [3, 1], [-9, 99], [0, 1], [-2, 2]) },
    { shapes: [[5]], f: (g, x) => g.slice(x, [-1], [-6], [0], [-1]) },
    { shapes: [[6]], f: (g, x) => g.mul(g.slice(x, [0], [2]), g.slice(x, [3], [5])) },
    {
      shapes: [[6]],
      f: (g, x) => g.add(g.mul(g.slice(x, [0], [4]), g.slice(x, [2], [6])), g.slice(x, [1], [5])),
    },
  ],
  Pad: [
    { shapes: [[2, 3]], f: (g, x) => g.pad(x, [1, 0, 0, 2], 0.5) },
    { shapes: [[3, 4]], f: (g, x) => g.pad(x, [1, -1, 0, -1]) },
  ],
  Concat: [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      f: (g, a, b) => g.concat([a, b, a], 1),
    },
  ],
  Split: [
    {
      shapes: [[2, 6]],
      f: (g, x) => {
        const [a, , c] = g.split(x, [2, 2, 2], 1);
        return g.mul(a, c);
      },
    },
  ],
  Resize: [{ shapes: [[1, 2, 2, 3]], f: (g, x) => g.resizeNearest(x, [2, 3]) }],
  DepthToSpace: [{ shapes: [[1, 8, 2, 3]], f: (g, x) => g.depthToSpace(x, 2) }],

  Gather: [
    { shapes: [[4, 3]], f: (g, x) => g.gather(x, indices(g, [2, 2], [0, 2, 2, -1])) },
    { shapes: [[2, 4, 3]], f: (g, x) => g.gather(x, indices(g, [2, 3], [3, 1, 1, 0, 3, 3]), 1) },
    { shapes: [[2, 4]], f: (g, x) => g.gather(x, indices(g, [], [-2]), 1) },
  ],
  GatherND: [{ shapes: [[3, 4, 2]], f: (g, x) => g.gatherNd(x, indices(g, [3, 2], [0, 1, -1, 3, 0, 1])) }],
  ScatterND: [
    {
      shapes: [
        [4, 2],
        [3, 2],
      ],
      f: (g, x, u) => g.scatterNdAdd(x, indices(g, [3, 1], [1, 3, 1]), g.mul(u, u)),
    },
    {
      shapes: [
        [4, 2],
        [2, 2],
      ],
      f: (g, x, u) => g.one("ScatterND", [g.mul(x, x), indices(g, [2, 1], [3, 1]), g.mul(u, u)], x.shape),
    },
  ],
  GatherElements: [
    { shapes: [[3, 4]], f: (g, x) => g.gatherElements(x, indices(g, [3, 2], [0, 3, 1, 1, 2, -1]), 1) },
  ],
  ScatterElements: [
    {
      shapes: [
        [3, 2],
        [2, 2],
      ],
      f: (g, x, u) => g.scatterElementsAdd(x, indices(g, [2, 2], [0, 2, 0, 1]), g.mul(u, u), 0),
    },
    {
      shapes: [
        [3, 2],
        [2, 2],
      ],
      f: (g, x, u) =>
        g.one("ScatterElements", [g.mul(x, x), indices(g, [2, 2], [0, 2, 1, 1]), g.mul(u, u)], x.shape),
    },
  ],
} satisfies Record<DifferentiableOp, Case[]>;
