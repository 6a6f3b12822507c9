/**
 * What a PyTorch file says, as plain data: lists, tuples and sets are arrays, dictionaries are maps, objects are
 * records, and a tensor is where its bytes lie. Parts may be shared; there are no cycles.
 */
export type PlainValue =
  | null
  | boolean
  | number
  /** A whole number beyond 2⁵³. */
  | bigint
  | string
  | Uint8Array
  | readonly PlainValue[]
  | PlainMap
  | PlainRecord
  | PlainConstant
  | PlainTensor;

export type PlainMap = ReadonlyMap<string | number, PlainValue>;

/** An object of a class that is allowed, such as a module of a TorchScript archive: its name and its attributes. */
export interface PlainRecord {
  readonly kind: "record";
  readonly className: string;
  readonly fields: PlainMap;
}

/** A constant of PyTorch, such as `torch.float16`. */
export interface PlainConstant {
  readonly kind: "constant";
  readonly name: string;
}

/** A tensor's place in its file; nothing of it has been read. */
export interface PlainTensor {
  readonly kind: "tensor";
  /** As safetensors spells it: F32, F16, BF16, I64 and so on. */
  readonly dtype: string;
  readonly shape: readonly number[];
  /** In elements, one for each dimension, never negative. */
  readonly strides: readonly number[];
  /** The file's name, without its folder. */
  readonly file: string;
  /** Of the first element, in bytes from the start of the file. */
  readonly offset: number;
  /** Bytes from the first element to the end of the last; little-endian. */
  readonly length: number;
}

/**
 * How a tensor's elements follow one another: row by row; as the transpose of a matrix that lies row by row; or in a
 * way that only strides describe.
 */
export function memoryLayout({ shape, strides }: PlainTensor): "contiguous" | "transposed" | "strided" {
  if (isContiguous(shape, strides)) return "contiguous";
  const transposed = shape.length === 2 && isContiguous([...shape].reverse(), [...strides].reverse());
  return transposed ? "transposed" : "strided";
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  if (shape.includes(0)) return true;
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    // The stride of a dimension of one element is never used, and PyTorch leaves anything there.
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis];
  }
  return true;
}

export const isMap = (value: PlainValue): value is PlainMap => value instanceof Map;

export const isTensor = (value: PlainValue): value is PlainTensor => kindOf(value) === "tensor";

export const isRecord = (value: PlainValue): value is PlainRecord => kindOf(value) === "record";

function kindOf(value: PlainValue): string | undefined {
  return typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
}
