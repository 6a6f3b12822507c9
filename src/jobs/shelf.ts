import { mkdir, readdir, rm } from "node:fs/promises";
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
  /** Keeps the state saved last; the answer is what `restore` needs to find it. */
  keep(jobId: string, folder: string): Promise<string | undefined>;
  /** Makes the folder hold the state that was kept, and no other. */
  restore(jobId: string, folder: string, kept: string | undefined): Promise<void>;
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

  async keep(): Promise<undefined> {}

  async restore(): Promise<void> {}

  async discard(): Promise<void> {}

  async clear(jobId: string): Promise<void> {
    await rm(jobFolder(this.root, jobId), { recursive: true, force: true });
  }

  async jobs(): Promise<string[]> {
    await mkdir(this.root, { recursive: true });
    return readdir(this.root);
  }
}

/** States in a bucket under `jobs/<id>/<hex digest>`. */
export class S3Shelf implements Shelf {
  constructor(private readonly bucket: S3Bucket) {}

  async keep(jobId: string, folder: string): Promise<string> {
    const path = checkpointPath(folder);
    const digest = await digestOfFile(path);
    await this.bucket.upload(keyOf(jobId, digest), path, digest);
    return digest;
  }

  async restore(jobId: string, folder: string, kept: string | undefined): Promise<void> {
    await prepareFolder(folder);
    const path = checkpointPath(folder);
    if (kept === undefined) return rm(path, { force: true });
    if ((await digestOfFile(path).catch(() => undefined)) === kept) return;
    await placeDurably(path, async (draft) => {
      if (!(await this.bucket.download(keyOf(jobId, kept), draft, kept))) throw lost(jobId, kept);
    });
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

const FOLDERS = "jobs/";
const folderOf = (jobId: string): string => `${FOLDERS}${jobId}/`;
const keyOf = (jobId: string, digest: string): string => folderOf(jobId) + hexOf(digest);

function lost(jobId: string, kept: string): AppError {
  const message = `The saved state of job ${jobId} is not in the object storage any more. Start the job again.`;
  return new AppError("NOT_FOUND", message, { kept });
}
