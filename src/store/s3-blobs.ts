import { type FileBlobStore, readAgain } from "./blobs.ts";
import { DigestSet } from "./digest-set.ts";
import { hexOf, isDigest, unknownDigest } from "./digests.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import type { BlobOwner, StoredBlob, SweptBlobs } from "./swept-blobs.ts";

/**
 * Blobs in a bucket under `blobs/<hex digest>`, and under `aside/<hex digest>` those that are set aside, with a folder
 * of this machine's own as a cache that may be lost.
 *
 * What is brought back is left aside as well until its time there is over: a removal from `blobs/` that went unanswered
 * may be sent once more, and then takes nothing that is not aside.
 */
export class S3BlobStore implements SweptBlobs {
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

  get(digest: string): Promise<Uint8Array> {
    return readAgain(() => this.file(digest));
  }

  async file(digest: string): Promise<string> {
    if (!(await this.cache.has(digest))) await this.fetch(digest);
    return this.cache.file(digest);
  }

  stored(isKnown: (digest: string) => boolean): AsyncIterable<StoredBlob> {
    return this.blobsIn(STORED, isKnown);
  }

  aside(): AsyncIterable<StoredBlob> {
    return this.blobsIn(ASIDE, () => false);
  }

  async setAside(digest: string, before: Date): Promise<boolean> {
    const [from, to] = [keyIn(STORED, digest), keyIn(ASIDE, digest)];
    if (!(await this.isOlder(from, before))) return false;
    const copied = (await this.bucket.copy(from, to)) && (await this.bucket.has(to));
    if (copied) await this.bucket.remove(from);
    return copied;
  }

  async bringBack(digest: string): Promise<boolean> {
    const [from, to] = [keyIn(ASIDE, digest), keyIn(STORED, digest)];
    return !(await this.bucket.has(to)) && this.bucket.copy(from, to);
  }

  async remove(digest: string, before: Date): Promise<boolean> {
    const key = keyIn(ASIDE, digest);
    if (!(await this.isOlder(key, before))) return false;
    await this.bucket.remove(key);
    return true;
  }

  async firstByte(digest: string): Promise<number | undefined> {
    const cached = await this.cache.firstByte(digest);
    if (cached !== undefined) return cached;
    const stored = await this.bucket.firstByte(keyIn(STORED, digest));
    return stored ?? this.bucket.firstByte(keyIn(ASIDE, digest));
  }

  async owners(): Promise<BlobOwner[]> {
    const owners: BlobOwner[] = [];
    for await (const { key, modified: since } of this.bucket.objects(OWNERS))
      owners.push({ id: key.slice(OWNERS.length), since });
    return owners;
  }

  async own(id: string): Promise<void> {
    const key = OWNERS + id;
    if (!(await this.bucket.has(key))) await this.bucket.write(key, id);
  }

  /**
   * Removes from the cache what the bucket does not have any more, and what came before that instant. A folder that was
   * once the store itself, before there was a bucket, may have what the bucket never had, and is left alone.
   */
  async clearCache(before: Date): Promise<void> {
    if (!(await this.cache.isCache())) return;
    const kept = new DigestSet();
    for await (const { digest } of this.stored(() => false)) kept.add(digest);
    for await (const { digest, since } of this.cache.stored((known) => kept.has(known)))
      if (since < before) await this.cache.forget(digest, before);
  }

  private async *blobsIn(
    folder: string,
    isKnown: (digest: string) => boolean,
  ): AsyncGenerator<StoredBlob, void> {
    for await (const { key, bytes, modified: since } of this.bucket.objects(folder)) {
      const digest = `sha256:${key.slice(folder.length)}`;
      if (isDigest(digest) && !isKnown(digest)) yield { digest, bytes, since };
    }
  }

  private async isOlder(key: string, before: Date): Promise<boolean> {
    const modified = await this.bucket.modified(key);
    return modified !== undefined && modified < before;
  }

  private async upload(digest: string): Promise<string> {
    await this.bucket.upload(keyIn(STORED, digest), await this.cache.file(digest), digest);
    return digest;
  }

  /** However many ask at the same time, it is fetched once. */
  private fetch(digest: string): Promise<void> {
    const under = this.fetching.get(digest);
    if (under) return under;
    const fetching = this.cache
      .fill(digest, (draft) => this.download(digest, draft))
      .finally(() => this.fetching.delete(digest));
    this.fetching.set(digest, fetching);
    return fetching;
  }

  private async download(digest: string, draft: string): Promise<void> {
    const key = keyIn(STORED, digest);
    if (await this.bucket.download(key, draft, digest)) return;
    // Where another has just brought it back, there is nothing to bring.
    await this.bringBack(digest);
    if (!(await this.bucket.download(key, draft, digest))) throw unknownDigest(digest);
  }
}

const STORED = "blobs/";
const ASIDE = "aside/";
const OWNERS = "owners/";

const keyIn = (folder: string, digest: string): string => folder + hexOf(digest);
