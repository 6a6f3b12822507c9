import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { digestOfFile, hexOf } from "../store/digests.ts";
import { placeDurably } from "../store/durable-file.ts";
import type { S3Bucket } from "../store/s3-bucket.ts";
import { checkpointPath, jobFolder, prepareFolder } from "./folder.ts";

/**
 * Keeps what a job has saved in its folder for whoever goes on with it. What it answers is written into the job's
 * record, where only the current attempt can write: an older one that is still at work changes nothing.
 */
export interface Shelf {
  /** Where an attempt at a job works on this machine. `root` is where jobs have their folders. */
  folder(root: string, jobId: string, attempt: number): string;
  /** Keeps the state saved last; the answer is what `restore` needs to find it. */
  keep(jobId: string, folder: string): Promise<string | undefined>;
  /** Makes the folder hold the state that was kept, and no other. */
  restore(jobId: string, folder: string, kept: string | undefined): Promise<void>;
  /** The attempt that worked in the folder is over, whatever became of the job. */
  leave(folder: string): Promise<void>;
  /** That state is not needed any more. */
  discard(jobId: string, kept: string): Promise<void>;
  /** None of the job's states is, also none that a worker had kept when it was killed, before it could say so. */
  clear(jobId: string): Promise<void>;
  /** Of which jobs there may be states, their ids; also of those of other installations that share the place. */
  jobs(): Promise<string[]>;
}

/** Whoever may go on with a job has the same folder: what is saved is kept, and goes with the folder. */
export class SharedShelf implements Shelf {
  /** @param root where jobs have their folders. */
  constructor(private readonly root: string) {}

  folder(root: string, jobId: string): string {
    return jobFolder(root, jobId);
  }

  async keep(): Promise<undefined> {}

  async restore(): Promise<void> {}

  async leave(): Promise<void> {}

  async discard(): Promise<void> {}

  async clear(jobId: string): Promise<void> {
    await rm(jobFolder(this.root, jobId), { recursive: true, force: true });
  }

  async jobs(): Promise<string[]> {
    await mkdir(this.root, { recursive: true });
    return readdir(this.root);
  }
}

/**
 * States in a bucket under `jobs/<id>/<hex digest>`. Each attempt has a folder of its own, `<id>.<attempt>`, so that one
 * that is over can be removed while another, of the same job on the same machine, is at work.
 */
export class S3Shelf implements Shelf {
  private readonly inUse = new Set<string>();

  constructor(private readonly bucket: S3Bucket) {}

  folder(root: string, jobId: string, attempt: number): string {
    return `${jobFolder(root, jobId)}.${attempt}`;
  }

  async keep(jobId: string, folder: string): Promise<string> {
    const path = checkpointPath(folder);
    const digest = await digestOfFile(path);
    await this.bucket.upload(keyOf(jobId, digest), path, digest);
    return digest;
  }

  async restore(jobId: string, folder: string, kept: string | undefined): Promise<void> {
    this.inUse.add(folder);
    await prepareFolder(folder);
    const path = checkpointPath(folder);
    if (kept === undefined) return rm(path, { force: true });
    if ((await digestOfFile(path).catch(() => undefined)) === kept) return;
    await placeDurably(path, async (draft) => {
      if (!(await this.bucket.download(keyOf(jobId, kept), draft, kept))) throw lost(jobId, kept);
    });
  }

  async leave(folder: string): Promise<void> {
    this.inUse.delete(folder);
    await rm(folder, { recursive: true, force: true });
  }

  /** Removes the folders of attempts that were killed: in which nothing was written since then. */
  async clearFolders(root: string, since: Date): Promise<void> {
    for (const name of await readdir(root).catch(() => [])) {
      const folder = join(root, name);
      if (!ATTEMPT.test(name) || this.inUse.has(folder)) continue;
      if ((await lastWritten(folder)) < since.getTime()) await rm(folder, { recursive: true, force: true });
    }
  }

  async discard(jobId: string, kept: string): Promise<void> {
    await this.bucket.remove(keyOf(jobId, kept));
  }

  async clear(jobId: string): Promise<void> {
    for (const key of await this.bucket.list(folderOf(jobId))) await this.bucket.remove(key);
  }

  async jobs(): Promise<string[]> {
    const keys = await this.bucket.list(FOLDERS);
    return [...new Set(keys.map((key) => key.slice(FOLDERS.length).split("/")[0]))];
  }
}

/** What is named otherwise was the shelf itself before there was a bucket. */
const ATTEMPT = /^[^.]+\.\d+$/;

/** In milliseconds, of the folder and what is right in it. */
async function lastWritten(folder: string): Promise<number> {
  const paths = [folder, ...(await readdir(folder).catch(() => [])).map((name) => join(folder, name))];
  const times = paths.map(async (path) => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
  return Math.max(...(await Promise.all(times)));
}

const FOLDERS = "jobs/";
const folderOf = (jobId: string): string => `${FOLDERS}${jobId}/`;
const keyOf = (jobId: string, digest: string): string => folderOf(jobId) + hexOf(digest);

function lost(jobId: string, kept: string): AppError {
  const message = `The saved state of job ${jobId} is not in the object storage any more. Start the job again.`;
  return new AppError("NOT_FOUND", message, { kept });
}
