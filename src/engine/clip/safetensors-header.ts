import { basename } from "node:path";
import { AppError } from "../../errors.ts";
import type { Shape } from "../onnx/graph.ts";
import { topLevelKeys } from "./json-keys.ts";

/** A tensor in a safetensors file. `offset` and `length` are in bytes from the start of the file. */
export interface TensorEntry {
  readonly name: string;
  /** As the file spells it: F32, F16, BF16, I64 and so on. */
  readonly dtype: string;
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A file as its header sees it: its path, where its tensors start and where it ends, in bytes. */
export interface Extent {
  readonly path: string;
  readonly start: number;
  readonly size: number;
}

/** Bytes of one element. */
const WIDTHS: Readonly<Record<string, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
};

/**
 * Checks a header against its file. Throws INVALID_CHECKPOINT, naming the file and the tensor, where it is not JSON,
 * repeats a name, or describes tensors that overlap, leave gaps, leave the file or disagree with their shape.
 */
export function parseHeader(text: string, extent: Extent): SafetensorsHeader {
  const { path } = extent;
  const { __metadata__: metadata = {}, ...described } = parseObject(text, path);
  rejectRepeatedNames(text, path);
  const tensors = Object.entries(described).map(([name, value]) => parseEntry(name, value, extent));
  rejectOverlapsAndGaps([...tensors], extent);
  return {
    tensors: new Map(tensors.map((entry) => [entry.name, entry])),
    metadata: stringMap(metadata, path),
  };
}

function parseObject(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged(path, "the file has a header that is not JSON");
  }
  if (!isRecord(value)) throw damaged(path, "the file has a header that is not a JSON object");
  return value;
}

// JSON.parse keeps the last of two equal names, so a repeated name would hide a tensor.
function rejectRepeatedNames(text: string, path: string): void {
  const seen = new Set<string>();
  for (const name of topLevelKeys(text)) {
    if (seen.has(name)) throw damaged(path, `the header names tensor "${name}" twice`, { tensor: name });
    seen.add(name);
  }
}

function parseEntry(name: string, value: unknown, { path, start, size }: Extent): TensorEntry {
  const fail = (problem: string) => damaged(path, `tensor "${name}" ${problem}`, { tensor: name });
  if (!isRecord(value)) throw fail("is not described by an object");
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(WIDTHS, dtype)) {
    throw fail(`has the unknown type ${JSON.stringify(dtype)}`);
  }
  if (!isCounts(shape)) throw fail("has a shape that is not a list of sizes");
  if (!isCounts(offsets) || offsets.length !== 2) throw fail("has no pair of offsets");
  const [begin, end] = offsets as [number, number];
  if (begin > end) throw fail(`ends at ${end} before it begins at ${begin}`);
  if (start + end > size) {
    throw fail(`needs bytes up to ${start + end}, but the file has ${size}; it is truncated`);
  }
  if (elementCount(shape) * WIDTHS[dtype]! !== end - begin) {
    throw fail(`has ${end - begin} bytes, which is not ${dtype} [${shape}]`);
  }
  return { name, dtype, shape, offset: start + begin, length: end - begin };
}

function rejectOverlapsAndGaps(tensors: TensorEntry[], { path, start, size }: Extent): void {
  let position = start;
  for (const entry of tensors.sort((a, b) => a.offset - b.offset || a.length - b.length)) {
    if (entry.offset !== position) {
      const relation = entry.offset < position ? "overlaps the tensor before it" : "leaves a gap before it";
      throw damaged(path, `tensor "${entry.name}" ${relation}`, { tensor: entry.name });
    }
    position += entry.length;
  }
  if (position !== size) throw damaged(path, `the file has ${size - position} bytes after its last tensor`);
}

function stringMap(value: unknown, path: string): Record<string, string> {
  if (!isRecord(value) || Object.values(value).some((item) => typeof item !== "string")) {
    throw damaged(path, "the file has metadata that is not a map of strings");
  }
  return value as Record<string, string>;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

export function elementCount(shape: Shape): number {
  return shape.reduce((size, dimension) => size * dimension, 1);
}

/** INVALID_CHECKPOINT for a file; `problem` is a clause such as "the file is truncated". */
export function damaged(
  path: string,
  problem: string,
  facts: Record<string, unknown> = {},
  cause?: unknown,
): AppError {
  const file = basename(path);
  return new AppError(
    "INVALID_CHECKPOINT",
    `${file}: ${problem}. Copy or export the checkpoint again.`,
    { file, ...facts },
    { cause },
  );
}
