import { AppError } from "../../errors.ts";

/**
 * Plain state as bytes and back, exactly: JSON, with every typed array replaced by a reference into the raw data that
 * follows. Layout: "ANTIDOTE", format (uint32), length of the JSON (uint32), the JSON, padding to 8, the arrays'
 * bytes, each padded to 8; all little-endian.
 */
const MAGIC = "ANTIDOTE";
const FORMAT = 3;
const HEADER_BYTES = 16;

const ARRAYS = { float32: Float32Array, int32: Int32Array, uint32: Uint32Array } as const;
type ArrayName = keyof typeof ARRAYS;
type PlainArray = Float32Array | Int32Array | Uint32Array;

interface Reference {
  readonly $array: ArrayName;
  readonly offset: number;
  readonly length: number;
}

/** Accepts objects, arrays, strings, finite numbers, booleans, null and Float32Array, Int32Array, Uint32Array. */
export function encodeState(state: unknown): Uint8Array {
  const arrays: PlainArray[] = [];
  let size = 0;
  const json = JSON.stringify(state, (_key, value) => {
    const name = arrayName(value);
    if (name === undefined) return value;
    const reference: Reference = { $array: name, offset: size, length: value.length };
    arrays.push(value);
    size += padded(value.byteLength);
    return reference;
  });
  const text = Buffer.from(json);
  const start = padded(HEADER_BYTES + text.length);
  const bytes = Buffer.alloc(start + size);
  bytes.write(MAGIC, 0, "latin1");
  bytes.writeUInt32LE(FORMAT, 8);
  bytes.writeUInt32LE(text.length, 12);
  text.copy(bytes, HEADER_BYTES);
  let offset = start;
  for (const array of arrays) {
    bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset);
    offset += padded(array.byteLength);
  }
  return bytes;
}

/** What `encodeState` was given. Fails with INTERNAL for bytes that are damaged or of another format. */
export function decodeState<State>(bytes: Uint8Array): State {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const known = buffer.length >= HEADER_BYTES && buffer.toString("latin1", 0, 8) === MAGIC;
  if (!known || buffer.readUInt32LE(8) !== FORMAT) throw damaged();
  const length = buffer.readUInt32LE(12);
  const start = padded(HEADER_BYTES + length);
  try {
    return JSON.parse(buffer.toString("utf8", HEADER_BYTES, HEADER_BYTES + length), (_key, value) =>
      isReference(value) ? readArray(bytes, start, value) : value,
    );
  } catch (cause) {
    throw damaged(cause);
  }
}

function readArray(bytes: Uint8Array, start: number, { $array, offset, length }: Reference): PlainArray {
  const array = new ARRAYS[$array](length);
  const source = bytes.subarray(start + offset, start + offset + array.byteLength);
  if (source.length !== array.byteLength) throw new RangeError("an array reaches beyond the end");
  new Uint8Array(array.buffer).set(source);
  return array;
}

const padded = (size: number): number => Math.ceil(size / 8) * 8;

const arrayName = (value: unknown): ArrayName | undefined =>
  (Object.keys(ARRAYS) as ArrayName[]).find((name) => value instanceof ARRAYS[name]);

const isReference = (value: unknown): value is Reference =>
  typeof value === "object" && value !== null && "$array" in value;

const damaged = (cause?: unknown): AppError =>
  new AppError(
    "INTERNAL",
    "The saved state of this run cannot be read. Start the run again.",
    {},
    cause === undefined ? undefined : { cause },
  );
