import { AppError } from "../errors.ts";
import type { Entry, ListOptions, Store, StreamEntry, Write } from "./store.ts";

/**
 * What this version writes its records as. Raise it only when a record changes so that an older version would
 * misread it: fields that are added are ignored, and kept, by versions that do not know them.
 */
export const RECORD_FORMAT = 1;

const FIELD = "recordFormat";

/**
 * A store whose records say in which format they are, for the time when servers of two versions run side by side. A
 * record of a newer format is refused with NEWER_RECORD and left alone; in lists it is left out.
 */
export class VersionedStore implements Store {
  /** A store may give the same entry again while nobody writes it. */
  private readonly plains = new WeakMap<Entry<unknown>, Entry<unknown>>();

  constructor(
    private readonly store: Store,
    private readonly format = RECORD_FORMAT,
  ) {}

  async get<T>(key: string): Promise<Entry<T> | undefined> {
    const entry = await this.store.get<unknown>(key);
    if (entry === undefined) return undefined;
    if (this.isNewer(entry.value)) throw newerRecord(key);
    const known = this.plains.get(entry) ?? plain<T>(entry);
    this.plains.set(entry, known);
    return known as Entry<T>;
  }

  async list<T>(prefix: string, options: ListOptions = {}): Promise<Entry<T>[]> {
    const { limit = Number.POSITIVE_INFINITY } = options;
    const found: Entry<T>[] = [];
    for (let after = options.after; found.length < limit; ) {
      const page = await this.store.list<unknown>(prefix, { ...options, after });
      found.push(...page.filter(({ value }) => !this.isNewer(value)).map(plain<T>));
      if (page.length < limit) break;
      after = page[page.length - 1].key;
    }
    return found.slice(0, limit);
  }

  commit(writes: readonly Write[]): Promise<boolean> {
    return this.store.commit(writes.map((write) => this.stamped(write)));
  }

  read<T>(stream: string, after: number, limit?: number): Promise<StreamEntry<T>[]> {
    return this.store.read<T>(stream, after, limit);
  }

  watch(stream: string, onAppend: () => void): () => void {
    return this.store.watch(stream, onAppend);
  }

  check(): Promise<void> {
    return this.store.check();
  }

  close(): Promise<void> {
    return this.store.close();
  }

  private stamped(write: Write): Write {
    if (write.kind !== "put" || !isRecord(write.value)) return write;
    return { ...write, value: { ...write.value, [FIELD]: this.format } };
  }

  private isNewer(value: unknown): boolean {
    return isNewerThan(this.format, value);
  }
}

/** Whether a value, as the store beneath gives it, was written in a newer format. */
export const isOfNewerFormat = (value: unknown): boolean => isNewerThan(RECORD_FORMAT, value);

/** Records of before there were formats have none. */
const isNewerThan = (format: number, value: unknown): boolean =>
  isRecord(value) && Number(value[FIELD] ?? 0) > format;

function plain<T>({ value, ...entry }: Entry<unknown>): Entry<T> {
  if (!isRecord(value)) return { ...entry, value: value as T };
  const { [FIELD]: _, ...record } = value;
  return { ...entry, value: record as T };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function newerRecord(key: string): AppError {
  return new AppError(
    "NEWER_RECORD",
    "This was written by a newer version of the program, which is being rolled out. Servers of that version answer; try again.",
    { retryAfterMs: 2_000, kind: key.split("/").at(-2) },
  );
}
