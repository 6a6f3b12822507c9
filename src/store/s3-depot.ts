import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { type Depot, type FolderFiles, unknownFolder } from "./depot.ts";
import { digestOfBytes, digestOfFile, hexOf, isDigest } from "./digests.ts";
import { placeDurably } from "./durable-file.ts";
import type { S3Bucket } from "./s3-bucket.ts";
import type { BlobStore } from "./store.ts";

interface FileEntry {
  readonly name: string;
  readonly digest: string;
}

/** What a folder of this machine held when its files were last read. */
interface Listing {
  readonly folder: string;
  readonly files: FolderFiles;
  readonly stamp: string;
  readonly entries: readonly FileEntry[];
  readonly reference: string;
}

/**
 * Folders in a bucket: their files under `files/<hex digest>`, and the list of them as a blob, whose digest is the
 * reference. What is fetched lies under `<cache>/<hex digest of the list>`, whole or not at all, and may be lost. Its
 * time of change says when it was asked for last.
 */
export class S3Depot implements Depot {
  private readonly listings = new Map<string, Listing>();
  private readonly fetching = new Map<string, Promise<string>>();

  constructor(
    private readonly bucket: S3Bucket,
    private readonly blobs: BlobStore,
    private readonly cache: string,
  ) {}

  async referenceOf(folder: string, files: FolderFiles): Promise<string> {
    return (await this.list(folder, files)).reference;
  }

  async keep(folder: string, files: FolderFiles): Promise<string> {
    const { entries } = await this.list(folder, files);
    for (const { name, digest } of entries)
      await this.bucket.upload(fileKey(digest), files.get(name) as string, digest);
    return this.blobs.put(encodeList(entries));
  }

  async folder(reference: string): Promise<string> {
    if (!isDigest(reference)) throw unknownFolder(reference);
    const own = this.listings.get(reference);
    if (own && (await stampOf(own.files).catch(() => "")) === own.stamp) return own.folder;
    const place = join(this.cache, hexOf(reference));
    if (await exists(place)) {
      await touch(place);
      return place;
    }
    const under = this.fetching.get(reference);
    if (under) return under;
    const fetching = this.fetch(reference, place).finally(() => this.fetching.delete(reference));
    this.fetching.set(reference, fetching);
    return fetching;
  }

  /** Removes what was fetched and not asked for since then, and parts that a fetch has left which was killed before. */
  async clearCache({ unused, killed }: { readonly unused: Date; readonly killed: Date }): Promise<void> {
    for (const name of await readdir(this.cache)) {
      const place = join(this.cache, name);
      const before = name.endsWith(DRAFT) ? killed : unused;
      const status = await stat(place).catch(() => undefined);
      if (!status?.isDirectory() || status.mtimeMs >= before.getTime()) continue;
      // Out of the way at once, so that whoever asks for it now fetches it and finds no half of it.
      const leaving = `${place}.${process.pid}${DRAFT}`;
      await rename(place, leaving);
      await rm(leaving, { recursive: true, force: true });
    }
  }

  /** Files that have not been touched since they were last read are not read again. */
  private async list(folder: string, files: FolderFiles): Promise<Listing> {
    const stamp = await stampOf(files);
    const known = [...this.listings.values()].find((one) => one.folder === folder && one.stamp === stamp);
    if (known) return known;
    const entries: FileEntry[] = [];
    for (const [name, path] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
      entries.push({ name, digest: await digestOfFile(path) });
    const listing = { folder, files, stamp, entries, reference: digestOfBytes(encodeList(entries)) };
    this.listings.set(listing.reference, listing);
    return listing;
  }

  private async fetch(reference: string, place: string): Promise<string> {
    const entries = decodeList(await this.blobs.get(reference));
    const staging = `${place}.${process.pid}${DRAFT}`;
    await rm(staging, { recursive: true, force: true });
    try {
      await mkdir(staging, { recursive: true });
      for (const { name, digest } of entries)
        await placeDurably(join(staging, name), async (draft) => {
          if (!(await this.bucket.download(fileKey(digest), draft, digest))) throw unknownFolder(reference);
        });
      // Another process of this machine may have been quicker.
      await rename(staging, place).catch(async (error) => {
        if (!(await exists(place))) throw error;
      });
      return place;
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  }
}

const DRAFT = ".draft";

const fileKey = (digest: string): string => `files/${hexOf(digest)}`;

const encodeList = (entries: readonly FileEntry[]): Uint8Array => Buffer.from(JSON.stringify(entries));

/** Fails with DOWNLOAD_FAILED for a list with a name that would lead out of the folder. */
function decodeList(bytes: Uint8Array): FileEntry[] {
  const entries = JSON.parse(Buffer.from(bytes).toString()) as FileEntry[];
  const wrong = entries.find(({ name }) => name.split("/").some((part) => ["", ".", ".."].includes(part)));
  if (!wrong) return entries;
  throw new AppError("DOWNLOAD_FAILED", `A kept folder lists a file "${wrong.name}", which no folder has.`);
}

/** Changes whenever one of the files does. */
async function stampOf(files: FolderFiles): Promise<string> {
  const stamps = await Promise.all(
    [...files].map(async ([name, path]) => {
      const { size, mtimeMs, ino } = await stat(path);
      return [name, size, mtimeMs, ino];
    }),
  );
  return JSON.stringify(stamps);
}

/** A cache that cannot be changed still can be read. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
