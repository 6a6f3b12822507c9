import { AppError } from "../../errors.ts";
import { type ByteSource, readBytes } from "./byte-source.ts";
import { ELEMENT_TYPES } from "./element-numbers.ts";
import type { ElementType, Initializer, Shape, Storage } from "./graph.ts";
import { LARGEST_READ_PAYLOAD, type Payload } from "./protobuf-reader.ts";
import type { TensorProto } from "./schema.ts";
import { LARGEST_RANK } from "./shapes.ts";
import { bytesOf, elementBytes, sizeOf, tensorOf } from "./tensor.ts";

/** Where a model's bytes and those of its external data lie. */
export interface ModelFiles {
  /** Of the message itself, as its weights are to refer to it. */
  readonly file: string;
  readonly source: ByteSource;
  /** The file that external data names, checked. Throws UNSAFE_ARTIFACT for one outside of the model's folder. */
  external(location: string): { readonly file: string; readonly source: ByteSource | undefined };
}

/** Whole numbers up to this size are read: graphs compute shapes, positions and masks with them. */
const LARGEST_READ_INTEGERS = 512 * 1024;

/** What is left of the bytes of other files that one model has read: it may name the same ones again and again. */
export interface ReadingBudget {
  bytes: number;
}

/** Far more than the shapes, positions and masks of any network. */
export const readingBudget = (): ReadingBudget => ({ bytes: 64 * 1024 * 1024 });

/** Eight-bit floats, four-bit numbers and the like: what quantised models hold. */
const FIRST_NARROW_TYPE = 17;

export function refuse(reason: string): never {
  throw new AppError("INVALID_GRAPH", `The ONNX model cannot be used: ${reason}.`);
}

export function elementTypeOf(number: number | undefined, name: string | undefined): ElementType {
  const type = ELEMENT_TYPES.get(number ?? 0);
  if (type) return type;
  const hint = (number ?? 0) >= FIRST_NARROW_TYPE ? "; quantised models have no exact gradients" : "";
  return refuse(`"${name}" has element type ${number}, which is not supported${hint}`);
}

/** Weights stay where they lie; numbers that a graph computes with are read. */
export function decodeTensor(proto: TensorProto, files: ModelFiles, budget: ReadingBudget): Initializer {
  const name = proto.name ?? "";
  const type = elementTypeOf(proto.dataType, name);
  const shape = proto.dimensions;
  if (shape.length > LARGEST_RANK) refuse(`"${name}" has ${shape.length} axes`);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0) || !Number.isSafeInteger(sizeOf(shape)))
    refuse(`"${name}" has shape [${shape}]`);
  if (type === "string") refuse(`"${name}" holds strings`);
  const expected = sizeOf(shape) * elementBytes(type);
  const storage =
    proto.dataLocation === 1
      ? external(proto, type, expected, files, budget)
      : internal(proto, type, shape, files, budget);
  const length = storage.kind === "file" ? storage.length : storage.bytes.length;
  if (length !== expected)
    refuse(`"${name}" has ${length} bytes where its shape [${shape}] needs ${expected}`);
  return { name, type, shape, storage };
}

function internal(
  proto: TensorProto,
  type: ElementType,
  shape: Shape,
  files: ModelFiles,
  budget: ReadingBudget,
): Storage {
  const payloads = proto.raw ? [proto.raw] : type === "float64" ? proto.doubles : proto.floats;
  if (payloads.length > 0) {
    if (!proto.raw && type !== "float64" && type !== "float32")
      refuse(`"${proto.name}" is ${type} but lists floats`);
    return fromPayloads(payloads, type, files, budget);
  }
  const values = type === "int64" ? proto.int64s : proto.int32s;
  if (values.length !== sizeOf(shape))
    refuse(`"${proto.name}" has ${values.length} elements where its shape is [${shape}]`);
  if (type === "float16" || type === "bfloat16")
    return { kind: "inline", bytes: new Uint8Array(Uint16Array.from(values).buffer) };
  if (type === "int8") return { kind: "inline", bytes: new Uint8Array(Int8Array.from(values).buffer) };
  return { kind: "inline", bytes: bytesOf(tensorOf(type, shape, values)) };
}

function fromPayloads(
  payloads: readonly Payload[],
  type: ElementType,
  files: ModelFiles,
  budget: ReadingBudget,
): Storage {
  const [first] = payloads;
  if (payloads.length === 1 && first.kind === "range") {
    const { offset, length } = first;
    return readWhereSmall({ kind: "file", file: files.file, offset, length }, type, files.source, budget);
  }
  const pieces = payloads.map((piece) => (piece.kind === "bytes" ? piece.bytes : undefined));
  if (pieces.includes(undefined)) refuse("a tensor's numbers lie in several long stretches");
  return { kind: "inline", bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces as Uint8Array[]) };
}

function external(
  proto: TensorProto,
  type: ElementType,
  expected: number,
  files: ModelFiles,
  budget: ReadingBudget,
): Storage {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const offset = Number(entries.get("offset") ?? 0);
  const length = Number(entries.get("length") ?? expected);
  if (!Number.isSafeInteger(offset) || offset < 0 || !Number.isSafeInteger(offset + length) || length < 0)
    refuse(`"${proto.name}" lies at offset ${offset} of "${location}"`);
  const { file, source } = files.external(location);
  if (source && offset + length > source.length)
    throw new AppError(
      "INVALID_CHECKPOINT",
      `${file} has ${source.length} bytes, but "${proto.name}" lies at ${offset} to ${offset + length} of it; the file is truncated, or of another export.`,
      { file, tensor: proto.name },
    );
  return readWhereSmall({ kind: "file", file, offset, length }, type, source, budget);
}

type Stored = Extract<Storage, { kind: "file" }>;

function readWhereSmall(
  stored: Stored,
  type: ElementType,
  source: ByteSource | undefined,
  budget: ReadingBudget,
): Storage {
  const most = type.includes("float") ? LARGEST_READ_PAYLOAD : LARGEST_READ_INTEGERS;
  if (!source || stored.length > most || stored.length > budget.bytes) return stored;
  budget.bytes -= stored.length;
  return { kind: "inline", bytes: readBytes(source, stored.offset, stored.length) };
}
