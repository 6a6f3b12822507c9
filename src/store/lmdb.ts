import { mkdir } from "node:fs/promises";
import * as lmdb from "lmdb";
import { AppError } from "../errors.ts";
import { claimFolder, releaseFolder } from "./owner.ts";
import type { Entry, ListOptions, Store, StreamEntry, Write } from "./store.ts";

/** LMDB's own limit is 1978 bytes; the rest is room for a stream's sequence number. */
const LONGEST_KEY = 1900;
const END_OF_RANGE = Buffer.from([0xff]);

/** A write with a checked key and its value as text: nothing can fail, or change, inside the transaction. */
type EncodedWrite =
  | { readonly kind: "put"; readonly key: Buffer; readonly json: string; readonly expected?: number }
  | { readonly kind: "delete"; readonly key: Buffer; readonly expected?: number }
  | { readonly kind: "append"; readonly stream: string; readonly json: string };

/**
 * The embedded store: one LMDB environment in a folder, written by one process.
 *
 * `overlappingSync` is off: with it, killing a writer can leave a file that the next start panics on. Every commit
 * is then synced to the disk before it is acknowledged.
 */
export class LmdbStore implements Store {
  private readonly watchers = new Map<string, Set<() => void>>();

  private constructor(
    private readonly folder: string,
    private readonly root: lmdb.RootDatabase<string, Buffer>,
    private readonly entries: lmdb.Database<string, Buffer>,
    private readonly streams: lmdb.Database<string, Buffer>,
  ) {}

  /** Opens the store in a folder, made when missing. INVALID_CONFIGURATION while another process has it open. */
  static async open(folder: string): Promise<LmdbStore> {
    await mkdir(folder, { recursive: true });
    await claimFolder(folder);
    const encodings = { encoding: "string", keyEncoding: "binary" } as const;
    const root = lmdb.open<string, Buffer>({ path: folder, overlappingSync: false, maxDbs: 4, ...encodings });
    return new LmdbStore(folder, root, root.openDB("entries", encodings), root.openDB("streams", encodings));
  }

  async get<T>(key: string): Promise<Entry<T> | undefined> {
    const text = this.entries.get(encodeKey(key));
    return text === undefined ? undefined : decodeEntry<T>(key, text);
  }

  async list<T>(prefix: string, options: ListOptions = {}): Promise<Entry<T>[]> {
    const rows = this.entries.getRange({ ...range(prefix, options), limit: options.limit });
    return [...rows].map(({ key, value }) => decodeEntry<T>(key.toString(), value));
  }

  async commit(writes: readonly Write[]): Promise<boolean> {
    const encoded = writes.map(encodeWrite);
    const committed = await this.root.transaction(() => {
      if (!encoded.every((write) => this.meetsExpectation(write))) return false;
      for (const write of encoded) this.apply(write);
      return true;
    });
    await this.root.flushed;
    if (committed) this.notify(encoded);
    return committed;
  }

  async read<T>(stream: string, after: number, limit?: number): Promise<StreamEntry<T>[]> {
    const rows = this.streams.getRange({
      start: streamKey(stream, after + 1),
      end: streamEnd(stream),
      limit,
    });
    return [...rows].map(({ key, value }) => ({ seq: sequenceOf(key), value: JSON.parse(value) as T }));
  }

  watch(stream: string, onAppend: () => void): () => void {
    const callbacks = this.watchers.get(stream) ?? new Set();
    this.watchers.set(stream, callbacks);
    // Two watchers may pass the same function, so each has a wrapper of its own.
    const callback = () => onAppend();
    callbacks.add(callback);
    return () => {
      callbacks.delete(callback);
      if (callbacks.size === 0 && this.watchers.get(stream) === callbacks) this.watchers.delete(stream);
    };
  }

  async close(): Promise<void> {
    this.watchers.clear();
    await this.root.flushed;
    await this.root.close();
    await releaseFolder(this.folder);
  }

  private meetsExpectation(write: EncodedWrite): boolean {
    return (
      write.kind === "append" || write.expected === undefined || write.expected === this.revision(write.key)
    );
  }

  /** 0 for a key that is absent. */
  private revision(key: Buffer): number {
    const text = this.entries.get(key);
    return text === undefined ? 0 : decodeEntry("", text).revision;
  }

  private apply(write: EncodedWrite): void {
    switch (write.kind) {
      case "put":
        this.entries.put(write.key, `{"revision":${this.revision(write.key) + 1},"value":${write.json}}`);
        return;
      case "delete":
        this.entries.remove(write.key);
        return;
      case "append":
        this.streams.put(streamKey(write.stream, this.lastSequence(write.stream) + 1), write.json);
    }
  }

  private lastSequence(stream: string): number {
    const newestFirst = { start: streamEnd(stream), end: streamKey(stream, 0), reverse: true, limit: 1 };
    for (const key of this.streams.getKeys(newestFirst)) return sequenceOf(key);
    return 0;
  }

  private notify(writes: readonly EncodedWrite[]): void {
    for (const write of writes) {
      if (write.kind !== "append") continue;
      for (const callback of [...(this.watchers.get(write.stream) ?? [])]) callback();
    }
  }
}

function encodeWrite(write: Write): EncodedWrite {
  const key = encodeKey(write.kind === "append" ? write.stream : write.key);
  if (write.kind === "delete") return { ...write, key };
  const json = JSON.stringify(write.value) ?? "null";
  return write.kind === "put" ? { ...write, key, json } : { ...write, json };
}

function decodeEntry<T>(key: string, text: string): Entry<T> {
  return { key, ...(JSON.parse(text) as { revision: number; value: T }) };
}

/** Keys are their UTF-8 bytes, so the order of keys is the order of bytes. */
function encodeKey(key: string): Buffer {
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

/** The bounds of a prefix, narrowed to what lies beyond `after` in the direction of travel. */
function range(prefix: string, { after, reverse }: ListOptions): lmdb.RangeOptions {
  const first = Buffer.from(prefix);
  const last = Buffer.concat([first, END_OF_RANGE]);
  const edge = reverse ? last : first;
  const cursor = after === undefined ? edge : Buffer.from(after);
  const beyond = Buffer.compare(cursor, edge) * (reverse ? -1 : 1);
  const start = beyond > 0 ? cursor : edge;
  const exclusiveStart = after !== undefined && beyond >= 0;
  return reverse
    ? { start, exclusiveStart, end: first, inclusiveEnd: true, reverse }
    : { start, exclusiveStart, end: last };
}

/** The stream's name, a NUL, and the sequence number in eight big-endian bytes: entries lie together, in order. */
function streamKey(stream: string, seq: number): Buffer {
  const number = Buffer.alloc(9);
  number.writeBigUInt64BE(BigInt(seq), 1);
  return Buffer.concat([encodeKey(stream), number]);
}

/** Just after the last entry a stream can have. */
function streamEnd(stream: string): Buffer {
  return Buffer.concat([encodeKey(stream), Buffer.from([1])]);
}

function sequenceOf(key: Buffer): number {
  return Number(key.readBigUInt64BE(key.length - 8));
}
