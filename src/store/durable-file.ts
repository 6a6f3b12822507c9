import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/**
 * Replaces a file so that, killed at any moment, a reader finds the old bytes or the new ones, never a part; when
 * it resolves, the new ones survive a power cut. Missing folders are made. The bytes are first written into
 * `workshop`, a folder of the same file system (by default the file's own).
 */
export async function writeDurably(path: string, bytes: Uint8Array, workshop = dirname(path)): Promise<void> {
  await placeDurably(path, (draft) => writeFile(draft, bytes, { flag: "wx" }), workshop);
}

/** The same for a file that `make` writes where it is told to; when that fails, nothing is left of it. */
export async function placeDurably(
  path: string,
  make: (draft: string) => Promise<void>,
  workshop = dirname(path),
): Promise<void> {
  const topmostMade = await mkdir(dirname(path), { recursive: true });
  const draft = join(workshop, `${randomUUID()}.draft`);
  try {
    await make(draft);
    await sync(draft);
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolders(dirname(path), topmostMade);
}

/** Makes a new name durable, and the names of the folders made for it: up to the parent of the topmost. */
async function syncFolders(folder: string, topmostMade: string | undefined): Promise<void> {
  await syncFolder(folder);
  if (topmostMade === undefined || !folder.startsWith(topmostMade)) return;
  await syncFolders(dirname(folder), topmostMade);
}

/** Makes the names in a folder durable. */
export const syncFolder = (path: string): Promise<void> => sync(path);

async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
