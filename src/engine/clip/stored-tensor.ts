import { join } from "node:path";
import { AppError } from "../../errors.ts";
import type { ElementType, Shape } from "../onnx/graph.ts";
import { decodeFloats } from "./float-decoding.ts";
import { readRange } from "./safetensors.ts";

/** Bytes of one stored tensor, little-endian and row-major, in a file below the folder that holds the weights. */
export interface StoredPart {
  readonly file: string;
  /** In bytes, like the length. */
  readonly offset: number;
  readonly length: number;
  readonly shape: Shape;
}

/** A tensor as the network reads it: its parts joined on the first axis, then transposed where it says so. */
export interface StoredTensor {
  readonly name: string;
  /** As safetensors spells it: F32, F16, BF16 or F64. All parts have the same. */
  readonly dtype: string;
  /** After joining and transposing. */
  readonly shape: Shape;
  readonly parts: readonly StoredPart[];
  readonly transposed?: boolean;
}

const ELEMENT_TYPES: Readonly<Record<string, ElementType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
};

/** The graph's name for a type that weights may have; undefined for any other. */
export function weightType(dtype: string): ElementType | undefined {
  return ELEMENT_TYPES[dtype];
}

/**
 * Some rows [n, d] of a matrix [N, d] as float32, one after another. Reads no more than these rows, unless the matrix
 * lies column by column.
 */
export async function readStoredRows(
  folder: string,
  tensor: StoredTensor,
  rows: readonly number[],
): Promise<Float32Array> {
  const width = tensor.shape[1];
  const found = new Float32Array(rows.length * width);
  if (tensor.transposed) {
    const all = await readStoredFloats(folder, tensor);
    rows.forEach((row, place) => {
      found.set(all.subarray(row * width, (row + 1) * width), place * width);
    });
    return found;
  }
  for (const [place, row] of rows.entries())
    found.set(await readRow(folder, tensor, row, width), place * width);
  return found;
}

async function readRow(
  folder: string,
  { name, dtype, parts }: StoredTensor,
  row: number,
  width: number,
): Promise<Float32Array> {
  let first = 0;
  for (const { file, offset, length, shape } of parts) {
    const bytes = length / shape[0];
    if (row < first + shape[0]) {
      const values = decodeFloats(
        dtype,
        await readRange(join(folder, file), offset + (row - first) * bytes, bytes),
      );
      if (values?.length === width) return values;
    }
    first += shape[0];
  }
  throw new AppError("INTERNAL", `Tensor "${name}" has no row ${row} of ${width} values.`);
}

/** Reads a tensor's values as float32; `folder` is where the parts' files are. */
export async function readStoredFloats(folder: string, tensor: StoredTensor): Promise<Float32Array> {
  const parts = await Promise.all(
    tensor.parts.map(async ({ file, offset, length }) => {
      const values = decodeFloats(tensor.dtype, await readRange(join(folder, file), offset, length));
      if (values) return values;
      throw new AppError("INTERNAL", `Tensor "${tensor.name}" was opened as ${tensor.dtype}.`);
    }),
  );
  const joined = parts.length === 1 ? parts[0] : concatenate(parts);
  return tensor.transposed ? transpose(joined, tensor.shape) : joined;
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(parts.reduce((size, part) => size + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Values of shape [columns, rows] to [rows, columns]. */
function transpose(values: Float32Array, [rows, columns]: Shape): Float32Array {
  return values.map((_, index) => values[(index % columns) * rows + Math.floor(index / columns)]);
}
