import { readFile } from "node:fs/promises";
import type { FileBlobStore } from "./blobs.ts";
import { hexOf, unknownDigest } from "./digests.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import type { BlobStore } from "./store.ts";

/** Blobs in a bucket under `blobs/<hex digest>`, with a folder of this machine's own as a cache that may be lost. */
export class S3BlobStore implements BlobStore {
  private readonly fetching = new Map<string, Promise<void>>();

  constructor(
    private readonly bucket: S3Bucket,
    private readonly cache: FileBlobStore,
  ) {}

  async put(bytes: Uint8Array): Promise<string> {
    return this.upload(await this.cache.put(bytes));
  }

  async putFile(path: string): Promise<string> {
    return this.upload(await this.cache.putFile(path));
  }

  async get(digest: string): Promise<Uint8Array> {
    return readFile(await this.file(digest));
  }

  async file(digest: string): Promise<string> {
    if (!(await this.cache.has(digest))) await this.fetch(digest);
    return this.cache.file(digest);
  }

  private async upload(digest: string): Promise<string> {
    await this.bucket.upload(keyOf(digest), await this.cache.file(digest), digest);
    return digest;
  }

  /** However many ask at the same time, it is fetched once. */
  private fetch(digest: string): Promise<void> {
    const under = this.fetching.get(digest);
    if (under) return under;
    const fetching = this.cache
      .fill(digest, async (draft) => {
        if (!(await this.bucket.download(keyOf(digest), draft, digest))) throw unknownDigest(digest);
      })
      .finally(() => this.fetching.delete(digest));
    this.fetching.set(digest, fetching);
    return fetching;
  }
}

const keyOf = (digest: string): string => `blobs/${hexOf(digest)}`;
