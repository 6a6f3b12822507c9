import type { BlobStore } from "./store.ts";

export interface StoredBlob {
  readonly digest: string;
  readonly bytes: number;
  /** When it came to where it is. */
  readonly since: Date;
}

/** A store of records that says that the blobs are its own. */
export interface BlobOwner {
  readonly id: string;
  /** When it said so first. */
  readonly since: Date;
}

/**
 * A store of blobs from which those that nothing names can be removed, in two steps: what is set aside is still found
 * by whoever asks for it, and is then where it was before. `test/store/swept-blobs-contract.ts` is what it promises.
 */
export interface SweptBlobs extends BlobStore {
  /** The blobs that are there and not known, in no order. */
  stored(isKnown: (digest: string) => boolean): AsyncIterable<StoredBlob>;
  /** The blobs that are set aside, in no order; one may be stored as well. */
  aside(): AsyncIterable<StoredBlob>;
  /** Sets a blob aside unless it has come since that instant; whether it did. */
  setAside(digest: string, before: Date): Promise<boolean>;
  /** Stores again what is set aside; whether it was needed. */
  bringBack(digest: string): Promise<boolean>;
  /** Removes, for good, a blob that has been aside since before that instant; whether it did. */
  remove(digest: string, before: Date): Promise<boolean>;
  /** The first byte of a blob, stored or set aside; undefined where there is none. */
  firstByte(digest: string): Promise<number | undefined>;
  /** Who says that the blobs are theirs. */
  owners(): Promise<BlobOwner[]>;
  /** Says so for good; saying it again changes nothing. The id has letters, digits and "-". */
  own(id: string): Promise<void>;
}
