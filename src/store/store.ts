/**
 * One small key-value store with compare-and-set and append-only streams. Everything durable goes through it, so
 * that the embedded driver and one across machines behave alike; `test/store/contract.ts` is what they promise.
 *
 * Keys are paths such as `tenants/acme/jobs/7f3a`. Values are JSON. Large binary data goes to `BlobStore`.
 */

export interface Entry<T> {
  readonly key: string;
  readonly value: T;
  /** Counts the writes of this key, from 1; the next write can insist on it. */
  readonly revision: number;
}

export interface StreamEntry<T> {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly value: T;
}

export type Write =
  /** `expected` is the revision that must be current, 0 for "absent"; without it the write is unconditional. */
  | { readonly kind: "put"; readonly key: string; readonly value: unknown; readonly expected?: number }
  | { readonly kind: "delete"; readonly key: string; readonly expected?: number }
  | { readonly kind: "append"; readonly stream: string; readonly value: unknown }
  /** Removes a stream with all its entries; should it be appended to again, it begins at 1. */
  | { readonly kind: "drop"; readonly stream: string };

export interface ListOptions {
  /** Only keys after this one (before it, in reverse). */
  readonly after?: string;
  readonly limit?: number;
  readonly reverse?: boolean;
}

export interface Store {
  /** Nobody changes what it gives: a store may give it to others too, and then has frozen it. */
  get<T>(key: string): Promise<Entry<T> | undefined>;
  /** Entries whose key starts with `prefix`, in key order. */
  list<T>(prefix: string, options?: ListOptions): Promise<Entry<T>[]>;
  /**
   * All writes or none. Resolves to false, with nothing written, when a revision is not the expected one.
   * Durable when it resolves: a process killed right after loses nothing.
   */
  commit(writes: readonly Write[]): Promise<boolean>;
  /** Entries of a stream with `seq > after`, oldest first. */
  read<T>(stream: string, after: number, limit?: number): Promise<StreamEntry<T>[]>;
  /** Calls back after each append to the stream, until the returned function is called. */
  watch(stream: string, onAppend: () => void): () => void;
  /** Fails with OVERLOADED when the storage does not answer at this moment. */
  check(): Promise<void>;
  close(): Promise<void>;
}

/** Content-addressed bytes: the digest is the name, so equal bytes are kept once and a blob never changes. */
export interface BlobStore {
  /** Stores the bytes durably; the digest is `sha256:<hex>`. */
  put(bytes: Uint8Array): Promise<string>;
  /** The same for a file, whose bytes are never in memory as a whole. */
  putFile(path: string): Promise<string>;
  /** Fails with NOT_FOUND for an unknown digest. */
  get(digest: string): Promise<Uint8Array>;
  /** A file on this machine with these bytes, which nobody may change: what a job's process reads. NOT_FOUND as `get`. */
  file(digest: string): Promise<string>;
}
