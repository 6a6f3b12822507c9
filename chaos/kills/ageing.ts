import { readdir, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const PAUSE_MILLISECONDS = 2000;
/** By then whoever has put a blob has named it in a record, or was killed. */
const SETTLED_MILLISECONDS = 60_000;
const DAY_MILLISECONDS = 24 * 3_600_000;
/** More than servers keep what nothing names. */
const AGE_MILLISECONDS = 60 * DAY_MILLISECONDS;

/**
 * Makes the blobs old, so that every server that starts looks for what no record names, sets it aside and removes it.
 * Only the times of files are changed, which is all that a server knows of a blob's age.
 */
export async function makeOld(folder: string, until: AbortSignal): Promise<void> {
  while (!until.aborted) {
    const now = Date.now();
    for (const path of await filesIn(folder)) {
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
      const age = now - mtimeMs;
      if (age < SETTLED_MILLISECONDS || age > DAY_MILLISECONDS) continue;
      const old = new Date(mtimeMs - AGE_MILLISECONDS);
      // It may have been moved meanwhile.
      await utimes(path, old, old).catch(() => {});
    }
    await delay(PAUSE_MILLISECONDS, undefined, { signal: until }).catch(() => {});
  }
}

/** Whether a blob is in the folder of blobs, or aside. */
export async function isStored(folder: string, hex: string): Promise<boolean> {
  const places = [folder, join(folder, "aside")].map((place) => join(place, hex.slice(0, 2), hex));
  const found = await Promise.all(
    places.map((path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/** Not those on their way in, which are a process's own. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("incoming"))
    .map(({ parentPath, name }) => join(parentPath, name));
}
