import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

/** The folder of a job's own, for its saved state and for results too large for JSON. */
export function jobFolder(root: string, jobId: string): string {
  return join(root, jobId);
}

/** The state that a job saved last. */
export function checkpointPath(folder: string): string {
  return join(folder, "checkpoint");
}

/** Makes the folder; drafts that a killed process left half-written are removed. */
export async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const drafts = (await readdir(folder)).filter((name) => name.endsWith(".draft"));
  await Promise.all(drafts.map((name) => rm(join(folder, name), { force: true })));
}

/** The state that the job saved last; undefined when it never did. */
export async function readCheckpoint(folder: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(checkpointPath(folder));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
