import { mkdir } from "node:fs/promises";
import * as lmdb from "lmdb";
import { type EncodedWrite, encodeKey, encodeWrite, keyRange } from "./keys.ts";
import { type ClaimOptions, claimFolder, releaseFolder } from "./owner.ts";
import type { Entry, ListOptions, Store, StreamEntry, Write } from "./store.ts";
import { Watchers } from "./watchers.ts";

/** Entries that are kept as they were read last: what every request asks for is parsed once for each write. */
const MOST_KEPT = 256;

/**
 * The embedded store: one LMDB environment in a folder, written by one process.
 *
 * `overlappingSync` is off: with it, killing a writer can leave a file that the next start panics on. Every commit
 * is then synced to the disk before it is acknowledged.
 */
export class LmdbStore implements Store {
  private readonly watchers = new Watchers();
  private readonly kept = new Map<string, { readonly text: string; readonly entry: Entry<unknown> }>();

  private constructor(
    private readonly folder: string,
    private readonly root: lmdb.RootDatabase<string, Buffer>,
    private readonly entries: lmdb.Database<string, Buffer>,
    private readonly streams: lmdb.Database<string, Buffer>,
  ) {}

  /** Opens the store in a folder, made when missing. INVALID_CONFIGURATION while another process has it open. */
  static async open(folder: string, options?: Pick<ClaimOptions, "onWait">): Promise<LmdbStore> {
    await mkdir(folder, { recursive: true });
    await claimFolder(folder, options);
    const encodings = { encoding: "string", keyEncoding: "binary" } as const;
    const root = lmdb.open<string, Buffer>({ path: folder, overlappingSync: false, maxDbs: 4, ...encodings });
    return new LmdbStore(folder, root, root.openDB("entries", encodings), root.openDB("streams", encodings));
  }

  async get<T>(key: string): Promise<Entry<T> | undefined> {
    const text = this.entries.get(encodeKey(key));
    if (text === undefined) return undefined;
    const known = this.kept.get(key);
    if (known?.text === text) return known.entry as Entry<T>;
    return this.keep(text, deepFreeze(decodeEntry<T>(key, text)));
  }

  async list<T>(prefix: string, options: ListOptions = {}): Promise<Entry<T>[]> {
    const { reverse = false, limit } = options;
    const range = keyRange(prefix, options);
    const rows = this.entries.getRange({ ...range, inclusiveEnd: reverse, reverse, limit });
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
    return this.watchers.add(stream, onAppend);
  }

  async check(): Promise<void> {}

  async close(): Promise<void> {
    this.watchers.clear();
    await this.root.flushed;
    await this.root.close();
    await releaseFolder(this.folder);
  }

  private keep<T>(text: string, entry: Entry<T>): Entry<T> {
    if (this.kept.size >= MOST_KEPT) this.kept.clear();
    this.kept.set(entry.key, { text, entry });
    return entry;
  }

  private meetsExpectation(write: EncodedWrite): boolean {
    return "stream" in write || write.expected === undefined || write.expected === this.revision(write.key);
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
        return;
      case "drop":
        for (const key of this.keysOf(write.stream)) this.streams.remove(key);
    }
  }

  private keysOf(stream: string): Buffer[] {
    return [...this.streams.getKeys({ start: streamKey(stream, 0), end: streamEnd(stream) })];
  }

  private lastSequence(stream: string): number {
    const newestFirst = { start: streamEnd(stream), end: streamKey(stream, 0), reverse: true, limit: 1 };
    for (const key of this.streams.getKeys(newestFirst)) return sequenceOf(key);
    return 0;
  }

  private notify(writes: readonly EncodedWrite[]): void {
    for (const write of writes) if (write.kind === "append") this.watchers.ring(write.stream);
  }
}

function decodeEntry<T>(key: string, text: string): Entry<T> {
  return { key, ...(JSON.parse(text) as { revision: number; value: T }) };
}

/** Several callers share it. */
function deepFreeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null) for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
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
