import { open } from "node:fs/promises";
import { basename } from "node:path";
import { AppError } from "../../errors.ts";
import type { Shape } from "../onnx/graph.ts";
import { decodeFloats } from "./float-decoding.ts";
import { damaged, elementCount, parseHeader, type SafetensorsHeader } from "./safetensors-header.ts";

/**
 * The safetensors format (huggingface.co/docs/safetensors): eight bytes of little-endian header length, a JSON
 * header, then the tensors' bytes, little-endian and row-major, without gaps. The header is untrusted: everything
 * in it is checked against the file before anything is read by it.
 */

export interface SafetensorsFile extends SafetensorsHeader {
  readonly path: string;
}

/** A tensor to be written: float32 or int64, little-endian like the machine. */
export interface NamedArray {
  readonly name: string;
  readonly shape: Shape;
  readonly data: Float32Array | BigInt64Array;
}

const LENGTH_BYTES = 8;
/** A checkpoint of ten thousand tensors has a header of about one MiB. */
const LARGEST_HEADER = 8 * 1024 * 1024;
/** One read call cannot exceed 2 GiB; a longer range is read in pieces. */
const LARGEST_READ = 1024 * 1024 * 1024;

/**
 * Reads and checks the header. Throws INVALID_CHECKPOINT, naming the file and the tensor, for a file that is
 * missing, truncated or longer than its header says, and for a header that is too long, not JSON, repeats a
 * name, or describes tensors that overlap, leave gaps or disagree with their shape. Errors call the file `name`.
 */
export async function readSafetensors(path: string, name = basename(path)): Promise<SafetensorsFile> {
  const handle = await openFile(path);
  try {
    const size = (await handle.stat()).size;
    const start = await readHeaderLength(handle, name, size);
    const text = decodeHeader(await readFully(handle, name, LENGTH_BYTES, start - LENGTH_BYTES), name);
    return { path, ...parseHeader(text, { path: name, start, size }) };
  } finally {
    await handle.close();
  }
}

/** Whether the bytes begin as those of a safetensors file do: with a length that fits, and a JSON object. */
export function looksLikeSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length <= LENGTH_BYTES || bytes[LENGTH_BYTES] !== "{".charCodeAt(0)) return false;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  return length <= BigInt(bytes.length - LENGTH_BYTES);
}

/** As `readSafetensors`, for a file that is in memory. */
export function parseSafetensors(bytes: Uint8Array, name: string): SafetensorsHeader {
  const start = headerEnd(bytes.subarray(0, LENGTH_BYTES), name, bytes.length);
  const text = decodeHeader(bytes.subarray(LENGTH_BYTES, start), name);
  return parseHeader(text, { path: name, start, size: bytes.length });
}

/** Reads `length` bytes at `offset`; either may lie beyond 2 GiB. */
export async function readRange(path: string, offset: number, length: number): Promise<Uint8Array> {
  const handle = await openFile(path);
  try {
    return await readFully(handle, path, offset, length);
  } finally {
    await handle.close();
  }
}

/** Reads one tensor's values as float32. Throws INVALID_CHECKPOINT where the type is not a floating one. */
export async function readFloats(file: SafetensorsFile, name: string): Promise<Float32Array> {
  const entry = file.tensors.get(name);
  if (!entry) throw damaged(file.path, `the file has no tensor "${name}"`, { tensor: name });
  const bytes = await readRange(file.path, entry.offset, entry.length);
  const values = decodeFloats(entry.dtype, bytes);
  if (values) return values;
  const facts = { tensor: name, dtype: entry.dtype };
  throw damaged(file.path, `tensor "${name}" is ${entry.dtype}, not a floating type`, facts);
}

/** The bytes of a safetensors file with these tensors, in this order. The same input gives the same bytes. */
export function encodeSafetensors(
  tensors: readonly NamedArray[],
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  let end = 0;
  for (const { name, shape, data } of tensors) {
    if (elementCount(shape) !== data.length) {
      throw new AppError("INTERNAL", `Tensor "${name}" has ${data.length} values for shape [${shape}].`);
    }
    const begin = end;
    end += data.byteLength;
    const dtype = data instanceof Float32Array ? "F32" : "I64";
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  return concatenate(
    headerBytes(header),
    tensors.map(({ data }) => data),
    end,
  );
}

// Padded with spaces so that the tensors start at a multiple of eight.
function headerBytes(header: Record<string, unknown>): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(LENGTH_BYTES + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - LENGTH_BYTES), true);
  padded.set(json, LENGTH_BYTES);
  return padded;
}

function concatenate(header: Uint8Array, arrays: readonly ArrayBufferView[], dataLength: number): Uint8Array {
  const bytes = new Uint8Array(header.length + dataLength);
  bytes.set(header);
  let offset = header.length;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset);
    offset += array.byteLength;
  }
  return bytes;
}

type FileHandle = Awaited<ReturnType<typeof open>>;

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw damaged(path, "the file cannot be opened", {}, cause);
  }
}

async function readFully(
  handle: FileHandle,
  path: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const wanted = Math.min(length - done, LARGEST_READ);
    const { bytesRead } = await handle.read(bytes, done, wanted, offset + done);
    if (bytesRead === 0) throw damaged(path, `the file ends before byte ${offset + length}; it is truncated`);
    done += bytesRead;
  }
  return bytes;
}

async function readHeaderLength(handle: FileHandle, path: string, size: number): Promise<number> {
  const bytes = await readFully(handle, path, 0, Math.min(size, LENGTH_BYTES));
  return headerEnd(bytes, path, size);
}

/** The offset of the first tensor byte, by the first eight bytes of a file of `size`. */
function headerEnd(bytes: Uint8Array, path: string, size: number): number {
  if (size < LENGTH_BYTES)
    throw damaged(path, `the file has ${size} bytes, too few for a safetensors header`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length < 2n || length > BigInt(LARGEST_HEADER)) {
    throw damaged(path, `the file claims a header of ${length} bytes; it is not a safetensors file`);
  }
  if (Number(length) > size - LENGTH_BYTES) {
    throw damaged(path, `the file has ${size} bytes but a header of ${length}; it is truncated`);
  }
  return LENGTH_BYTES + Number(length);
}

function decodeHeader(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw damaged(path, "the file has a header that is not UTF-8");
  }
}
