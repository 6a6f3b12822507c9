import { AppError } from "../../errors.ts";
import type { ElementType, Initializer, Shape, Storage } from "./graph.ts";

export type TensorData = Float32Array | Float64Array | BigInt64Array | Int32Array | Uint8Array;

/** Values in row-major order. `bool` and `uint8` live in a Uint8Array. */
export interface Tensor {
  readonly type: ElementType;
  readonly shape: Shape;
  readonly data: TensorData;
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

function checked<Data extends TensorData>(type: ElementType, shape: Shape, data: Data): Tensor {
  if (data.length !== sizeOf(shape))
    throw new AppError(
      "INVALID_GRAPH",
      `A ${type} tensor of shape [${shape}] holds ${sizeOf(shape)} elements, but ${data.length} were given.`,
      { shape, length: data.length },
    );
  return { type, shape: [...shape], data };
}

/** Zeros unless data is given; the data is not copied when it is a typed array already. */
export function float32(shape: Shape, data: Float32Array | readonly number[] = []): Tensor {
  if (data.length === 0) return checked("float32", shape, new Float32Array(sizeOf(shape)));
  return checked("float32", shape, data instanceof Float32Array ? data : Float32Array.from(data));
}

export function float64(shape: Shape, data: Float64Array | readonly number[] = []): Tensor {
  if (data.length === 0) return checked("float64", shape, new Float64Array(sizeOf(shape)));
  return checked("float64", shape, data instanceof Float64Array ? data : Float64Array.from(data));
}

export function int64(shape: Shape, data: BigInt64Array | readonly number[] = []): Tensor {
  if (data.length === 0) return checked("int64", shape, new BigInt64Array(sizeOf(shape)));
  return checked("int64", shape, data instanceof BigInt64Array ? data : BigInt64Array.from(data, toInt64));
}

const LARGEST_INT64 = 2n ** 63n - 1n;

/** ONNX's "until the end" is the largest int64, which as a plain number is one more. */
function toInt64(value: number): bigint {
  const whole = BigInt(value);
  return whole > LARGEST_INT64 ? LARGEST_INT64 : whole;
}

export function bool(shape: Shape, data: Uint8Array | readonly boolean[] = []): Tensor {
  if (data.length === 0) return checked("bool", shape, new Uint8Array(sizeOf(shape)));
  return checked("bool", shape, data instanceof Uint8Array ? data : Uint8Array.from(data, Number));
}

const CONSTRUCTORS = {
  float32: Float32Array,
  float64: Float64Array,
  int64: BigInt64Array,
  int32: Int32Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  uint8: 1,
  int8: 1,
  bool: 1,
  string: 0,
};

/** Bytes of one element; 0 for strings, which have no fixed size. */
export function elementBytes(type: ElementType): number {
  return ELEMENT_BYTES[type];
}

/** A tensor of any numeric type from plain numbers, or zeros. Throws INVALID_GRAPH for types without an array. */
export function tensorOf(type: ElementType, shape: Shape, values?: readonly number[]): Tensor {
  if (!(type in CONSTRUCTORS))
    throw new AppError("INVALID_GRAPH", `Tensors of ${type} cannot be computed with here; cast them first.`, {
      type,
    });
  if (type === "int64") return int64(shape, values);
  const Values = CONSTRUCTORS[type as Exclude<keyof typeof CONSTRUCTORS, "int64">];
  return checked(type, shape, values ? Values.from(values) : new Values(sizeOf(shape)));
}

/** The little-endian bytes of a tensor, without a copy. */
export function bytesOf(tensor: Tensor): Uint8Array {
  return new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
}

/** A tensor over little-endian bytes; copies only where the array type needs alignment. */
export function fromBytes(type: ElementType, shape: Shape, bytes: Uint8Array): Tensor {
  if (!(type in CONSTRUCTORS))
    throw new AppError("INVALID_GRAPH", `Tensors of ${type} cannot be computed with here; cast them first.`, {
      type,
    });
  const size = ELEMENT_BYTES[type];
  if (bytes.byteLength !== size * sizeOf(shape))
    throw new AppError(
      "INVALID_GRAPH",
      `A ${type} tensor of shape [${shape}] needs ${size * sizeOf(shape)} bytes, but has ${bytes.byteLength}.`,
    );
  // A Buffer's own slice would be a view as unaligned as it is.
  const aligned = bytes.byteOffset % size === 0 ? bytes : new Uint8Array(bytes);
  const Values = CONSTRUCTORS[type as keyof typeof CONSTRUCTORS];
  const data = new Values(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.byteLength / size);
  return { type, shape: [...shape], data };
}

/** The values as plain numbers. */
export function toNumbers(tensor: Tensor): number[] {
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

/** A tensor as a constant of a graph, its bytes held inline. */
export function toInitializer(name: string, tensor: Tensor): Initializer {
  const storage: Storage = { kind: "inline", bytes: bytesOf(tensor) };
  return { name, type: tensor.type, shape: tensor.shape, storage };
}
