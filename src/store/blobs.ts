import { access, constants, copyFile, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { digestOfBytes, digestOfFile, hexOf, unknownDigest } from "./digests.ts";
import { placeDurably, syncFolder, writeDurably } from "./durable-file.ts";
import type { BlobStore } from "./store.ts";

const OLDEST_DRAFT_MILLISECONDS = 24 * 3600 * 1000;

/** Blobs as files `<folder>/<first two hex digits>/<hex digest>`; bytes on their way in lie in `<folder>/incoming`. */
export class FileBlobStore implements BlobStore {
  private constructor(private readonly folder: string) {}

  /**
   * Opens the store in a folder of its own, made when missing; half-written bytes of a killed process are removed.
   * @param options.shared others write into the folder too, so only what is too old to be theirs is removed.
   */
  static async open(folder: string, { shared = false } = {}): Promise<FileBlobStore> {
    const incoming = join(folder, "incoming");
    await mkdir(incoming, { recursive: true });
    await removeDrafts(incoming, shared ? Date.now() - OLDEST_DRAFT_MILLISECONDS : Number.POSITIVE_INFINITY);
    return new FileBlobStore(folder);
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

  async get(digest: string): Promise<Uint8Array> {
    return readFile(await this.file(digest));
  }

  async file(digest: string): Promise<string> {
    if (!(await this.has(digest))) throw unknownDigest(digest);
    return this.path(digest);
  }

  async has(digest: string): Promise<boolean> {
    return exists(this.path(digest));
  }

  private get incoming(): string {
    return join(this.folder, "incoming");
  }

  private path(digest: string): string {
    const hex = hexOf(digest);
    return join(this.folder, hex.slice(0, 2), hex);
  }

  private async keep(digest: string, place: (path: string) => Promise<void>): Promise<void> {
    const path = this.path(digest);
    // A name that is there already may be another call's that is not yet synced.
    if (await exists(path)) await syncFolder(dirname(path));
    else await place(path);
  }
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
