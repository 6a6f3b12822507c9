import { AppError } from "../errors.ts";
import type { ListOptions, Write } from "./store.ts";

/** LMDB's own limit is 1978 bytes; the rest is room for a stream's sequence number. Every driver keeps to it. */
const LONGEST_KEY = 1900;
const END_OF_RANGE = Buffer.from([0xff]);

/** A write with a checked key and its value as text: nothing can fail, or change, inside the transaction. */
export type EncodedWrite =
  | { readonly kind: "put"; readonly key: Buffer; readonly json: string; readonly expected?: number }
  | { readonly kind: "delete"; readonly key: Buffer; readonly expected?: number }
  | { readonly kind: "append"; readonly stream: string; readonly json: string }
  | { readonly kind: "drop"; readonly stream: string };

/** Keys are their UTF-8 bytes, so the order of keys is the order of bytes. Fails with BAD_USER_INPUT. */
export function encodeKey(key: string): Buffer {
  const bytes = Buffer.from(key);
  if (bytes.length === 0 || bytes.length > LONGEST_KEY || bytes.includes(0)) {
    throw new AppError(
      "BAD_USER_INPUT",
      `A key has 1 to ${LONGEST_KEY} bytes without a NUL; this one has ${bytes.length}. Use a shorter name.`,
      { bytes: bytes.length },
    );
  }
  return bytes;
}

/** Fails with BAD_USER_INPUT for a key, and with a TypeError for a value, that cannot be kept. */
export function encodeWrite(write: Write): EncodedWrite {
  const key = encodeKey("stream" in write ? write.stream : write.key);
  if (write.kind === "drop") return write;
  if (write.kind === "delete") return { ...write, key };
  const json = JSON.stringify(write.value) ?? "null";
  return write.kind === "put" ? { ...write, key, json } : { ...write, json };
}

/** The keys of a listing: from `start` towards `end`, in the direction of travel. */
export interface KeyRange {
  readonly start: Buffer;
  readonly exclusiveStart: boolean;
  readonly end: Buffer;
}

/** The bounds of a prefix, narrowed to what lies beyond `after` in the direction of travel. */
export function keyRange(prefix: string, { after, reverse = false }: ListOptions): KeyRange {
  const first = Buffer.from(prefix);
  const last = Buffer.concat([first, END_OF_RANGE]);
  const [edge, end] = reverse ? [last, first] : [first, last];
  const cursor = after === undefined ? edge : Buffer.from(after);
  const beyond = Buffer.compare(cursor, edge) * (reverse ? -1 : 1);
  return { start: beyond > 0 ? cursor : edge, exclusiveStart: after !== undefined && beyond >= 0, end };
}
