import {
  access,
  constants,
  copyFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOfBytes, digestOfFile, hexOf, isDigest, unknownDigest } from "./digests.ts";
import { placeDurably, syncFolder, writeDurably } from "./durable-file.ts";
import type { BlobOwner, StoredBlob, SweptBlobs } from "./swept-blobs.ts";

const OLDEST_DRAFT_MILLISECONDS = 24 * 3600 * 1000;

/**
 * Blobs as files `<folder>/<first two hex digits>/<hex digest>`, and in the same way below `<folder>/aside` those that
 * are set aside; bytes on their way in lie in `<folder>/incoming`. The time of a file is when it came to where it is,
 * or was put again.
 */
export class FileBlobStore implements SweptBlobs {
  private constructor(private readonly folder: string) {}

  /**
   * Opens the store in a folder of its own, made when missing; half-written bytes of a killed process are removed.
   * @param options.shared others write into the folder too, so only what is too old to be theirs is removed.
   * @param options.cache all of it is kept elsewhere as well.
   */
  static async open(folder: string, { shared = false, cache = false } = {}): Promise<FileBlobStore> {
    const incoming = join(folder, "incoming");
    await mkdir(incoming, { recursive: true });
    await removeDrafts(incoming, shared ? Date.now() - OLDEST_DRAFT_MILLISECONDS : Number.POSITIVE_INFINITY);
    const blobs = new FileBlobStore(folder);
    await (cache ? blobs.becomeCache() : rm(blobs.cacheMark, { force: true }));
    return blobs;
  }

  async put(bytes: Uint8Array): Promise<string> {
    const digest = digestOfBytes(bytes);
    await this.keep(digest, (path) => writeDurably(path, bytes, this.incoming));
    return digest;
  }

  async putFile(file: string): Promise<string> {
    const digest = await digestOfFile(file);
    await this.fill(digest, (draft) => copyFile(file, draft, constants.COPYFILE_FICLONE));
    return digest;
  }

  /** Takes in the bytes that `write` puts where it is told to; it answers for their digest. */
  async fill(digest: string, write: (draft: string) => Promise<void>): Promise<void> {
    await this.keep(digest, (path) => placeDurably(path, write, this.incoming));
  }

  get(digest: string): Promise<Uint8Array> {
    return readAgain(() => this.file(digest));
  }

  async file(digest: string): Promise<string> {
    if (!(await this.has(digest))) throw unknownDigest(digest);
    return this.path(digest);
  }

  async has(digest: string): Promise<boolean> {
    const path = this.path(digest);
    if (await exists(path)) return true;
    // Where another has just brought it back, it is not aside any more.
    return (await this.bringBack(digest)) || exists(path);
  }

  stored(isKnown: (digest: string) => boolean): AsyncIterable<StoredBlob> {
    return blobsIn(this.folder, isKnown);
  }

  aside(): AsyncIterable<StoredBlob> {
    return blobsIn(this.asideFolder, () => false);
  }

  async setAside(digest: string, before: Date): Promise<boolean> {
    const path = this.path(digest);
    // Its time begins anew before it is moved: a kill in between makes it younger, never older.
    return (await isOlder(path, before)) && (await renew(path)) && move(path, this.asidePath(digest));
  }

  async bringBack(digest: string): Promise<boolean> {
    const path = this.asidePath(digest);
    // It may be another user's file, of which only the name can be changed.
    const isThere = await renew(path).catch(() => true);
    return isThere && move(path, this.path(digest));
  }

  remove(digest: string, before: Date): Promise<boolean> {
    return removeOlder(this.asidePath(digest), before);
  }

  /** Whether the folder has been nothing but a cache since it was empty, so that what is in it is kept elsewhere too. */
  isCache(): Promise<boolean> {
    return exists(this.cacheMark);
  }

  /** Removes a blob from a cache, unless it has come, or was put again, since that instant. */
  forget(digest: string, before: Date): Promise<boolean> {
    return removeOlder(this.path(digest), before);
  }

  async firstByte(digest: string): Promise<number | undefined> {
    for (const path of [this.path(digest), this.asidePath(digest), this.path(digest)]) {
      const found = await firstByteOf(path);
      if (found) return found.byte;
    }
    return undefined;
  }

  async owners(): Promise<BlobOwner[]> {
    const names = await namesIn(this.ownersFolder);
    return Promise.all(
      names.map(async (id) => ({ id, since: (await stat(join(this.ownersFolder, id))).mtime })),
    );
  }

  async own(id: string): Promise<void> {
    const path = join(this.ownersFolder, id);
    if (!(await exists(path))) await writeDurably(path, new Uint8Array(), this.incoming);
  }

  /** A folder that has something already may have been the only place of it. */
  private async becomeCache(): Promise<void> {
    for await (const _ of this.stored(() => false)) return;
    await writeDurably(this.cacheMark, new Uint8Array(), this.incoming);
  }

  private get cacheMark(): string {
    return join(this.folder, "is-a-cache");
  }

  private get incoming(): string {
    return join(this.folder, "incoming");
  }

  private get asideFolder(): string {
    return join(this.folder, "aside");
  }

  private get ownersFolder(): string {
    return join(this.folder, "owners");
  }

  private path(digest: string): string {
    return pathIn(this.folder, digest);
  }

  private asidePath(digest: string): string {
    return pathIn(this.asideFolder, digest);
  }

  private async keep(digest: string, place: (path: string) => Promise<void>): Promise<void> {
    const path = this.path(digest);
    // A name that is there already may be another call's that is not yet synced.
    if (await renew(path).catch(() => exists(path))) await syncFolder(dirname(path));
    else await place(path);
  }
}

/** A blob's bytes; one that is set aside between its being found and its being read is looked for once more. */
export async function readAgain(find: () => Promise<string>): Promise<Uint8Array> {
  return readFile(await find()).catch(async (error) => {
    if (isMissing(error)) return readFile(await find());
    throw error;
  });
}

function pathIn(folder: string, digest: string): string {
  const hex = hexOf(digest);
  return join(folder, hex.slice(0, 2), hex);
}

async function* blobsIn(folder: string, isKnown: (digest: string) => boolean): AsyncGenerator<StoredBlob> {
  for (const part of await namesIn(folder)) {
    if (!/^[0-9a-f]{2}$/.test(part)) continue;
    for (const name of await namesIn(join(folder, part))) {
      const digest = `sha256:${name}`;
      if (!isDigest(digest) || isKnown(digest)) continue;
      const found = await stat(join(folder, part, name)).catch(unlessMissing);
      if (found) yield { digest, bytes: found.size, since: found.mtime };
    }
  }
}

/** False where there is no such file (any more). */
async function move(from: string, to: string): Promise<boolean> {
  await mkdir(dirname(to), { recursive: true });
  return rename(from, to).then(
    () => true,
    (error) => unlessMissing(error) ?? false,
  );
}

/** Has a file's time begin anew; false where there is none. */
async function renew(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    (error) => unlessMissing(error) ?? false,
  );
}

async function removeOlder(path: string, before: Date): Promise<boolean> {
  if (!(await isOlder(path, before))) return false;
  await rm(path, { force: true });
  return true;
}

/** Whether there is a file whose time is before that instant. */
async function isOlder(path: string, before: Date): Promise<boolean> {
  const found = await stat(path).catch(unlessMissing);
  return found !== undefined && found.mtime < before;
}

/** Undefined where there is no file; an empty one has no byte. */
async function firstByteOf(path: string): Promise<{ readonly byte: number | undefined } | undefined> {
  const file = await open(path, "r").catch(unlessMissing);
  if (!file) return undefined;
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(1), 0, 1, 0);
    return { byte: bytesRead === 1 ? buffer[0] : undefined };
  } finally {
    await file.close();
  }
}

const namesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(unlessMissing)) ?? [];

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === "ENOENT";

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error;
}

/** Removes files that were last written before an instant (milliseconds since 1970). */
async function removeDrafts(folder: string, before: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const written = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Number.POSITIVE_INFINITY,
    );
    if (written < before) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
