import type { Attribute, ElementType, Shape } from "../../../../src/engine/onnx/graph.ts";
import { sizeOf, type Tensor, tensorOf, toInitializer } from "../../../../src/engine/onnx/tensor.ts";
import { uniform } from "../../support/random.ts";

export interface CaseInput {
  readonly tensor: Tensor;
  /** Part of the graph, as shapes and axes are; otherwise it is fed. */
  readonly known: boolean;
}

export interface Case {
  readonly name: string;
  readonly op: string;
  readonly domain: string | undefined;
  readonly opset: number;
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly inputs: readonly (CaseInput | undefined)[];
  readonly outputs: readonly ElementType[];
}

const random = uniform(7);

/** Fed: floats from (−2, 2). */
function data(...shape: number[]): CaseInput {
  const values = Array.from({ length: sizeOf(shape) }, () => 4 * random() - 2);
  return { tensor: tensorOf("float32", shape, values), known: false };
}

/** Fed: floats from (0.2, 2). */
function positive(...shape: number[]): CaseInput {
  const values = Array.from({ length: sizeOf(shape) }, () => 0.2 + 1.8 * random());
  return { tensor: tensorOf("float32", shape, values), known: false };
}

function fed(type: ElementType, shape: Shape, values: readonly number[]): CaseInput {
  return { tensor: tensorOf(type, shape, values), known: false };
}

function known(type: ElementType, shape: Shape, values: readonly number[]): CaseInput {
  return { tensor: tensorOf(type, shape, values), known: true };
}

const list = (...values: number[]): CaseInput => known("int64", [values.length], values);
const scalar = (value: number): CaseInput => known("float32", [], [value]);
const whole = (value: number): CaseInput => known("int64", [], [value]);

/** Numbers are integers unless they stand in `f`. */
const f = (value: number): Attribute => ({ kind: "float", value });
type Written = number | string | readonly number[] | Attribute;

function attribute(value: Written): Attribute {
  if (typeof value === "number") return { kind: "int", value };
  if (typeof value === "string") return { kind: "string", value };
  return Array.isArray(value) ? { kind: "ints", value } : (value as Attribute);
}

interface Options {
  readonly outputs?: readonly ElementType[];
  readonly domain?: string;
  readonly note?: string;
}

function of(
  op: string,
  opset: number,
  inputs: readonly (CaseInput | undefined)[],
  attributes: Readonly<Record<string, Written>> = {},
  { outputs = ["float32"], domain, note }: Options = {},
): Case {
  const written = Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, attribute(value)]),
  );
  const about = [domain, op, opset, note ?? JSON.stringify(attributes)].filter(
    (part) => part && part !== "{}",
  );
  return { name: about.join(" "), op, domain, opset, inputs, attributes: written, outputs };
}

const microsoft = (
  op: string,
  inputs: readonly (CaseInput | undefined)[],
  attributes: Readonly<Record<string, Written>> = {},
  outputs: readonly ElementType[] = ["float32"],
): Case => of(op, 17, inputs, attributes, { domain: "com.microsoft", outputs });

const bools: readonly ElementType[] = ["bool"];
const integers: readonly ElementType[] = ["int64"];
const mask = fed("bool", [2, 3], [1, 0, 1, 1, 0, 0]);
const other = fed("bool", [3], [1, 1, 0]);

const unary =
  "Neg Abs Sign Exp Sin Cos Tanh Erf Sigmoid Relu Floor Ceil Round Softplus HardSwish Identity".split(" ");
const reductions =
  "ReduceSum ReduceMean ReduceMax ReduceMin ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ReduceProd".split(
    " ",
  );
const tensorAttribute = (type: ElementType, shape: Shape, values: readonly number[]): Attribute => ({
  kind: "tensor",
  value: toInitializer("", tensorOf(type, shape, values)),
});

/** Every operator, at the versions in which its form differs. */
export const cases: readonly Case[] = [
  ...unary.map((op) => of(op, 14, [data(2, 3)])),
  of("Log", 13, [positive(4)]),
  of("Sqrt", 13, [positive(4)]),
  of("Reciprocal", 13, [positive(4)]),
  of("Round", 11, [fed("float32", [6], [0.5, 1.5, 2.5, -0.5, -1.5, 1.2])], {}, { note: "of halves" }),
  ...["Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean"].map((op) =>
    of(op, 13, [data(2, 3), positive(3)]),
  ),
  ...["Max", "Min", "Sum", "Mean"].map((op) =>
    of(op, 13, [data(2, 1), data(3), data(2, 3)], {}, { note: "of three" }),
  ),
  of(
    "Div",
    13,
    [fed("int64", [4], [7, -7, 9, 8]), fed("int64", [4], [2, 2, -4, 4])],
    {},
    { outputs: integers },
  ),
  of("Pow", 13, [positive(2, 3), data(3)]),
  of("Pow", 13, [positive(3), whole(3)], {}, { note: "by an integer" }),
  of(
    "Mod",
    13,
    [fed("int64", [4], [7, -7, 9, 8]), fed("int64", [4], [3, 3, -4, 4])],
    {},
    { outputs: integers },
  ),
  of("Mod", 13, [data(4), positive(4)], { fmod: 1 }),
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].map((op) =>
    of(op, 16, [fed("int64", [3], [1, 2, 3]), fed("int64", [2, 1], [2, 3])], {}, { outputs: bools }),
  ),
  ...["And", "Or", "Xor"].map((op) => of(op, 13, [mask, other], {}, { outputs: bools })),
  of("Not", 13, [mask], {}, { outputs: bools }),
  of("Where", 16, [mask, data(2, 3), data(3)]),
  of("IsNaN", 13, [fed("float32", [3], [1, Number.NaN, 2])], {}, { outputs: bools }),
  of("IsInf", 13, [fed("float32", [3], [1, Number.NEGATIVE_INFINITY, 2])], {}, { outputs: bools }),
  of("Dropout", 11, [data(3)]),
  of("Dropout", 13, [data(3), scalar(0.5), known("bool", [], [0])]),
  of("Clip", 11, [data(6), scalar(-0.5), scalar(0.7)]),
  of("Clip", 13, [data(6), undefined, scalar(0.7)], {}, { note: "above" }),
  of("Clip", 13, [data(6), scalar(0)], {}, { note: "below" }),
  of("Clip", 13, [data(6)], {}, { note: "not at all" }),
  of("Cast", 13, [data(4)], { to: 7 }, { outputs: integers }),
  of("Cast", 13, [fed("int64", [3], [0, 2, -1])], { to: 9 }, { outputs: bools }),
  of("Cast", 13, [mask], { to: 1 }),
  of("CastLike", 15, [mask, data(1)]),
  of("LeakyRelu", 11, [data(4)], { alpha: f(0.2) }),
  of("HardSigmoid", 11, [data(4)]),
  of("Gelu", 20, [data(4)]),
  of("Gelu", 20, [data(4)], { approximate: "tanh" }),

  of("Shape", 13, [data(2, 3, 4)], {}, { outputs: integers }),
  of("Shape", 15, [data(2, 3, 4)], { start: -2, end: 3 }, { outputs: integers }),
  of("Size", 13, [data(2, 3, 4)], {}, { outputs: integers }),
  of("ConstantOfShape", 11, [list(2, 3)]),
  of("ConstantOfShape", 11, [list(2)], { value: tensorAttribute("int64", [1], [5]) }, { outputs: integers }),
  of("Range", 11, [whole(2), whole(9), whole(3)], {}, { outputs: integers }),
  of("Reshape", 13, [data(2, 3, 4), list(0, -1)]),
  of("Reshape", 14, [data(2, 3, 4), list(4, -1)], { allowzero: 1 }),
  of("Flatten", 11, [data(2, 3, 4)]),
  of("Flatten", 13, [data(2, 3, 4)], { axis: -1 }),
  of("Squeeze", 11, [data(2, 1, 3)], { axes: [1] }),
  of("Squeeze", 13, [data(2, 1, 3), list(-2)]),
  of("Squeeze", 13, [data(2, 1, 3)], {}, { note: "of all" }),
  of("Unsqueeze", 11, [data(2, 3)], { axes: [0, 3] }),
  of("Unsqueeze", 13, [data(2, 3), list(-1)]),
  of("Transpose", 13, [data(2, 3, 4)]),
  of("Transpose", 13, [data(2, 3, 4)], { perm: [0, 2, 1] }),
  of("Expand", 13, [data(3, 1), list(2, 1, 4)]),
  of("Tile", 13, [data(2, 3), list(2, 1)]),
  of("Slice", 11, [data(4, 5), list(1), list(Number.MAX_SAFE_INTEGER), list(-1), list(2)]),
  of("Slice", 13, [data(4, 5), list(-1, 0), list(-5, 3), list(0, 1), list(-1, 1)]),
  of("Slice", 13, [data(4), list(1), list(3)], {}, { note: "without axes" }),
  of("Concat", 13, [data(2, 3), data(2, 1)], { axis: -1 }),
  of("Split", 11, [data(2, 5)], { axis: 1, split: [2, 3] }, { outputs: ["float32", "float32"] }),
  of("Split", 13, [data(4, 2)], {}, { outputs: ["float32", "float32"] }),
  of("Split", 13, [data(2, 5), list(1, 4)], { axis: -1 }, { outputs: ["float32", "float32"] }),
  of("Split", 18, [data(5)], { num_outputs: 2 }, { outputs: ["float32", "float32"] }),
  of("Pad", 11, [data(2, 3), list(0, 1, 1, 0)]),
  of("Pad", 13, [data(2, 3), list(0, 1, 1, 0), scalar(3)]),
  of("Pad", 18, [data(2, 3), list(1, 2), scalar(0), list(1)]),
  of("Pad", 13, [data(2, 3), list(0, 1, 0, 2)], { mode: "reflect" }),
  of("DepthToSpace", 13, [data(1, 8, 2, 3)], { blocksize: 2 }),
  of("DepthToSpace", 13, [data(1, 8, 2, 3)], { blocksize: 2, mode: "CRD" }),
  of("SpaceToDepth", 13, [data(1, 2, 4, 6)], { blocksize: 2 }),
  of("Resize", 11, [data(1, 2, 3, 2), known("float32", [0], []), known("float32", [4], [1, 1, 2, 2])], {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  }),
  ...[
    ["half_pixel", "round_prefer_floor"],
    ["half_pixel", "round_prefer_ceil"],
    ["half_pixel", "floor"],
    ["half_pixel", "ceil"],
    ["pytorch_half_pixel", "round_prefer_floor"],
    ["asymmetric", "floor"],
    ["asymmetric", "ceil"],
    ["asymmetric", "round_prefer_floor"],
    ["align_corners", "round_prefer_floor"],
  ].map(([coordinates, rounding]) =>
    of("Resize", 13, [data(1, 2, 3, 4), undefined, known("float32", [4], [1, 1, 3, 2])], {
      mode: "nearest",
      coordinate_transformation_mode: coordinates,
      nearest_mode: rounding,
    }),
  ),
  of("Resize", 13, [data(1, 2, 3, 4), undefined, undefined, list(1, 2, 5, 6)], {
    mode: "cubic",
    coordinate_transformation_mode: "half_pixel",
  }),
  of("Trilu", 14, [data(3, 3)]),
  of("Trilu", 14, [data(2, 3, 4), whole(1)], { upper: 0 }),
  of("CumSum", 14, [data(2, 4), known("int64", [], [1])]),
  of("CumSum", 14, [data(2, 4), known("int64", [], [1])], { exclusive: 1 }),
  of("CumSum", 14, [data(2, 4), known("int64", [], [-1])], { exclusive: 1, reverse: 1 }),
  of("CumSum", 14, [data(2, 4), known("int64", [], [0])], { reverse: 1 }),
  of("EyeLike", 9 + 2, [data(3, 4)], { k: 1 }),
  of("OneHot", 11, [fed("int64", [3], [2, 0, 1]), whole(4), known("float32", [2], [-1, 3])], { axis: 0 }),
  of("NonZero", 13, [known("int64", [2, 3], [1, 0, 2, 0, 0, 3])], {}, { outputs: integers }),

  ...reductions.flatMap((op) => [
    of(op, op === "ReduceSum" ? 11 : 17, [positive(2, 3, 4)], { axes: [-1, 0], keepdims: 0 }),
    of(op, 18, [positive(2, 3, 4), list(1)], {}),
    of(op, 18, [positive(2, 3)], { keepdims: 0 }),
  ]),
  of("ReduceMax", 18, [data(2, 3)], { noop_with_empty_axes: 1 }),
  of("ArgMax", 13, [data(2, 5)], { axis: 1, keepdims: 0 }, { outputs: integers }),
  of("ArgMax", 13, [fed("int64", [2, 3], [1, 4, 4, 2, 2, 0])], { axis: -1 }, { outputs: integers }),
  of(
    "ArgMax",
    13,
    [fed("float32", [3], [4, 4, 1])],
    { axis: 0, select_last_index: 1 },
    { outputs: integers },
  ),
  of("ArgMin", 13, [data(2, 5)], { axis: 0 }, { outputs: integers }),
  of("Softmax", 11, [data(2, 3, 4)], {}),
  of("Softmax", 12, [data(2, 3, 4)], { axis: 2 }),
  of("Softmax", 13, [data(2, 3, 4)], { axis: 1 }),
  of("LogSoftmax", 11, [data(2, 3, 4)], {}),
  of("LogSoftmax", 13, [data(2, 3)], {}),
  of("LpNormalization", 11, [data(2, 3)], { axis: -1 }),
  of("LpNormalization", 11, [data(2, 3)], { axis: 0, p: 1 }),

  of("MatMul", 13, [data(2, 3, 4), data(4, 2)]),
  of("Gemm", 13, [data(3, 2), data(4, 3), data(4)], { transA: 1, transB: 1, alpha: f(0.5), beta: f(2) }),
  of("Gemm", 11, [data(2, 3), data(3, 4)]),
  of("Einsum", 12, [data(2, 3, 4), data(2, 5, 4)], {
    equation: { kind: "string", value: "bid, bjd -> bij" },
  }),
  of("Einsum", 12, [data(2, 3, 4, 5), data(2, 6, 4, 5)], { equation: "bihd,bjhd->bhij" }),
  of("Einsum", 12, [data(2, 3), data(3, 4)], { equation: "ij,jk" }),
  of("Einsum", 12, [data(2, 3, 4)], { equation: "ijk->ki" }),
  of("Conv", 11, [data(1, 4, 5, 6), data(6, 2, 3, 2), data(6)], {
    group: 2,
    strides: [2, 1],
    pads: [1, 0, 1, 1],
  }),
  of("Conv", 11, [data(1, 2, 5, 6), data(3, 2, 3, 2)], { auto_pad: "SAME_UPPER", strides: [2, 2] }),
  of("Conv", 11, [data(1, 2, 5, 6), data(3, 2, 2, 2)], { auto_pad: "SAME_LOWER" }),
  of("Conv", 11, [data(1, 2, 5, 6), data(3, 2, 2, 2)], { auto_pad: "VALID", dilations: [2, 2] }),
  of("ConvTranspose", 11, [data(1, 2, 3, 3), data(2, 3, 2, 2)], { strides: [2, 2] }),
  of("GlobalAveragePool", 11, [data(1, 2, 3, 4)]),
  of("AveragePool", 11, [data(1, 2, 4, 6)], { kernel_shape: [2, 3], strides: [2, 3] }),
  of("AveragePool", 11, [data(1, 2, 4, 6)], {
    kernel_shape: [2, 2],
    strides: [2, 2],
    pads: [1, 0, 1, 0],
    count_include_pad: 1,
    ceil_mode: 0,
  }),
  of("MaxPool", 12, [data(1, 2, 5, 5)], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  of("BatchNormalization", 9 + 2, [data(2, 3, 2), data(3), data(3), data(3), positive(3)]),
  of("BatchNormalization", 15, [data(2, 3, 2), data(3), data(3), data(3), positive(3)], { epsilon: f(0.1) }),
  of("LayerNormalization", 17, [data(2, 3), data(3), data(3)], { epsilon: f(0.01) }),
  of("LayerNormalization", 17, [data(2, 3, 2), data(3, 2)], { axis: 1 }),
  of("InstanceNormalization", 11, [data(2, 3, 4), data(3), data(3)]),

  of("Gather", 13, [data(4, 3), fed("int64", [2, 2], [0, -1, 2, 1])]),
  of("Gather", 11, [data(4, 3), known("int64", [], [2])], { axis: 1 }),
  of("GatherElements", 13, [data(3, 2), fed("int64", [2, 2], [0, 2, -1, 1])], {}),
  of("GatherND", 13, [data(2, 3, 4), fed("int64", [2, 2], [0, 1, 1, -1])]),
  of("GatherND", 13, [data(2, 3, 4), fed("int64", [2, 2, 1], [0, 1, 2, 0])], { batch_dims: 1 }),
  of("ScatterND", 16, [data(4, 2), fed("int64", [2, 1], [3, 1]), data(2, 2)]),
  of("ScatterND", 16, [data(4, 2), fed("int64", [2, 1], [3, 1]), data(2, 2)], { reduction: "add" }),
  of("ScatterElements", 16, [data(3, 2), fed("int64", [1, 2], [2, 0]), data(1, 2)], { axis: 0 }),

  microsoft("Gelu", [data(4)]),
  microsoft("BiasGelu", [data(2, 3), data(3)]),
  microsoft("FastGelu", [data(2, 3), data(3)]),
  microsoft("QuickGelu", [data(4)], { alpha: f(1.702) }),
  microsoft("SkipLayerNormalization", [data(2, 2, 4), data(2, 2, 4), data(4), data(4), data(4)], {
    epsilon: f(1e-5),
  }),
  microsoft("FusedMatMul", [data(3, 2), data(4, 3)], { transA: 1, transB: 1, alpha: f(0.3) }),
  microsoft("FusedGemm", [data(2, 3), data(3, 4), data(4)], { activation: "Relu" }),
  microsoft("FusedConv", [data(1, 2, 4, 4), data(3, 2, 2, 2), data(3)], { activation: "Relu" }),
  microsoft("Attention", [data(2, 3, 4), data(4, 12), data(12)], { num_heads: 2, unidirectional: 1 }),
  microsoft("Attention", [data(2, 3, 4), data(4, 12), data(12), fed("int32", [2, 3], [1, 1, 0, 1, 1, 1])], {
    num_heads: 2,
  }),
  microsoft("MultiHeadAttention", [data(2, 3, 4), data(2, 3, 4), data(2, 3, 4), data(12)], { num_heads: 2 }),
  microsoft(
    "MultiHeadAttention",
    [data(1, 3, 4), data(1, 5, 4), data(1, 5, 4), undefined, undefined, data(1, 2, 3, 5)],
    {
      num_heads: 2,
      scale: f(0.4),
    },
  ),
];
