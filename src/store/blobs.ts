import { createHash } from "node:crypto";
import { access, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../errors.ts";
import { syncFolder, writeDurably } from "./durable-file.ts";
import type { BlobStore } from "./store.ts";

const OLDEST_DRAFT_MILLISECONDS = 24 * 3600 * 1000;
const DIGEST = /^sha256:([0-9a-f]{64})$/;

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
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    const path = this.path(digest);
    // A name that is there already may be another call's that is not yet synced.
    if (await exists(path)) await syncFolder(dirname(path));
    else await writeDurably(path, bytes, join(this.folder, "incoming"));
    return digest;
  }

  async get(digest: string): Promise<Uint8Array> {
    try {
      return await readFile(this.path(digest));
    } catch (error) {
      throw isMissing(error) ? unknownDigest(digest) : error;
    }
  }

  path(digest: string): string {
    const hex = DIGEST.exec(digest)?.[1];
    if (!hex) throw unknownDigest(digest);
    return join(this.folder, hex.slice(0, 2), hex);
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

function unknownDigest(digest: string): AppError {
  return new AppError(
    "NOT_FOUND",
    `No blob has the digest "${digest.slice(0, 80)}". Upload the bytes again and use the digest that this answers.`,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
}
