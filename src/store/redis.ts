import { randomUUID } from "node:crypto";
import { AppError } from "../errors.ts";
import { AppendLog } from "./append-log.ts";
import { type EncodedWrite, encodeKey, encodeWrite, type KeyRange, keyRange } from "./keys.ts";
import { type RedisClient, RedisConnection, type RedisConnectionOptions } from "./redis-connection.ts";
import { COMMIT, LIST, runScript } from "./redis-scripts.ts";
import type { Entry, ListOptions, Store, StreamEntry, Write } from "./store.ts";
import { Watchers } from "./watchers.ts";

export interface RedisStoreOptions extends RedisConnectionOptions {
  /** Every key begins with it, so that several installations can share one Redis. */
  readonly prefix: string;
  /** Told, at the start, how this Redis is set up to lose what it has acknowledged. */
  readonly onWarning?: (message: string) => void;
}

/** So long a commit that is sent again is known to have happened; commands are never tried again for longer. */
const MARK_SECONDS = 900;
const OLDEST_VERSION = 7;

/**
 * The store in a Redis (7 or newer) that many processes share. Values and revisions are two hashes, the order of
 * keys is a sorted set, and streams are Redis Streams whose ids are `0-1`, `0-2`, and so on. A commit is one script.
 * It is as durable as Redis is set up to be: `appendonly yes` and `appendfsync always` keep the contract to the letter.
 */
export class RedisStore implements Store {
  private readonly watchers = new Watchers();
  private readonly keys: readonly [values: string, revisions: string, order: string];
  private log: AppendLog | undefined;

  private constructor(
    private readonly connection: RedisConnection,
    private readonly prefix: string,
  ) {
    this.keys = [`${prefix}:values`, `${prefix}:revisions`, `${prefix}:order`];
  }

  /** Fails with INVALID_CONFIGURATION when Redis does not answer, or is too old. */
  static async open(options: RedisStoreOptions): Promise<RedisStore> {
    const connection = await RedisConnection.open(options);
    try {
      await requireVersion(connection);
      for (const warning of await warningsOf(connection)) options.onWarning?.(warning);
      const store = new RedisStore(connection, options.prefix);
      store.log = await AppendLog.follow(connection.duplicate(), store.logKey, {
        onAppend: (stream) => store.watchers.ring(stream),
        onGap: () => store.watchers.ringAll(),
      });
      return store;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async get<T>(key: string): Promise<Entry<T> | undefined> {
    const [row] = await this.rows(exactly(encodeKey(key)), 1, false);
    return row as Entry<T> | undefined;
  }

  async list<T>(prefix: string, options: ListOptions = {}): Promise<Entry<T>[]> {
    const { limit = -1, reverse = false } = options;
    return (await this.rows(boundsOf(keyRange(prefix, options), reverse), limit, reverse)) as Entry<T>[];
  }

  async commit(writes: readonly Write[]): Promise<boolean> {
    const encoded = writes.map(encodeWrite);
    const streams = [...new Set(encoded.flatMap((write) => ("stream" in write ? [write.stream] : [])))];
    const keys = [
      ...this.keys,
      this.logKey,
      `${this.prefix}:commits:${randomUUID()}`,
      ...streams.map((stream) => this.streamKey(stream)),
    ];
    const indexOf = (stream: string) => keys.length - streams.length + streams.indexOf(stream) + 1;
    const args = [String(MARK_SECONDS), ...encoded.flatMap((write) => argumentsOf(write, indexOf))];
    const commit = (client: RedisClient) => runScript(client, COMMIT, keys, args);
    return (await this.connection.run(commit, { writes: true })) === 1;
  }

  async read<T>(stream: string, after: number, limit?: number): Promise<StreamEntry<T>[]> {
    const key = this.streamKey(stream);
    const options = limit === undefined ? undefined : { COUNT: limit };
    const entries = await this.connection.run((client) => client.xRange(key, `0-${after + 1}`, "+", options));
    return (entries ?? []).map(({ id, message }) => ({
      seq: sequenceOf(id),
      value: JSON.parse(message.v) as T,
    }));
  }

  watch(stream: string, onAppend: () => void): () => void {
    return this.watchers.add(stream, onAppend);
  }

  check(): Promise<void> {
    return this.connection.check();
  }

  async close(): Promise<void> {
    this.watchers.clear();
    this.log?.close();
    this.connection.close();
  }

  private get logKey(): string {
    return `${this.prefix}:appends`;
  }

  private streamKey(stream: string): string {
    return `${this.prefix}:streams:${stream}`;
  }

  private async rows(bounds: Bounds, limit: number, reverse: boolean): Promise<Entry<unknown>[]> {
    const args = [...bounds, String(limit), reverse ? "REV" : ""];
    const flat = (await this.connection.run((client) =>
      runScript(client, LIST, this.keys, args),
    )) as string[];
    return Array.from({ length: flat.length / 3 }, (_, row) => ({
      key: flat[3 * row],
      value: JSON.parse(flat[3 * row + 2]),
      revision: Number(flat[3 * row + 1]),
    }));
  }
}

/** Where a range by bytes begins and ends, as ZRANGE takes them: in the direction of travel. */
type Bounds = readonly [start: Buffer, end: Buffer];

const INCLUSIVE = Buffer.from("[");
const EXCLUSIVE = Buffer.from("(");

function boundsOf({ start, exclusiveStart, end }: KeyRange, reverse: boolean): Bounds {
  return [
    Buffer.concat([exclusiveStart ? EXCLUSIVE : INCLUSIVE, start]),
    Buffer.concat([reverse ? INCLUSIVE : EXCLUSIVE, end]),
  ];
}

function exactly(key: Buffer): Bounds {
  const bound = Buffer.concat([INCLUSIVE, key]);
  return [bound, bound];
}

function argumentsOf(write: EncodedWrite, indexOf: (stream: string) => number): (string | Buffer)[] {
  if ("stream" in write) {
    const json = write.kind === "append" ? write.json : "";
    return [write.kind, write.stream, "", json, String(indexOf(write.stream))];
  }
  const expected = write.expected === undefined ? "" : String(write.expected);
  return [write.kind, write.key, expected, write.kind === "put" ? write.json : "", ""];
}

function sequenceOf(id: string): number {
  return Number(id.slice(id.indexOf("-") + 1));
}

async function requireVersion(connection: RedisConnection): Promise<void> {
  const facts = await connection.run((client) => client.info("server"));
  const version = /redis_version:(\d+)\S*/.exec(String(facts));
  if (!version || Number(version[1]) >= OLDEST_VERSION) return;
  throw new AppError(
    "INVALID_CONFIGURATION",
    `This Redis is of version ${version[0].split(":")[1]}; version ${OLDEST_VERSION} or newer is needed.`,
  );
}

/** How this Redis may lose or evict what it has acknowledged; nothing where it does not tell its settings. */
async function warningsOf(connection: RedisConnection): Promise<string[]> {
  const ask = (name: string) =>
    connection
      .run((client) => client.configGet(name))
      .then((answer) => (answer as Record<string, string>)[name])
      .catch(() => undefined);
  const warnings = [];
  if ((await ask("appendonly")) === "no")
    warnings.push("Redis keeps no append-only file: a restart of Redis loses data. Set `appendonly yes`.");
  const policy = await ask("maxmemory-policy");
  if (policy !== undefined && policy !== "noeviction")
    warnings.push(`Redis may evict data (maxmemory-policy ${policy}). Set \`maxmemory-policy noeviction\`.`);
  return warnings;
}
