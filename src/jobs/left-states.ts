import { AppError } from "../errors.ts";
import type { JobRecord } from "./job.ts";
import type { JobQueue } from "./queue.ts";
import type { Shelf } from "./shelf.ts";

/** Where jobs are looked up; a queue is one. */
type Jobs = Pick<JobQueue, "get">;

/**
 * Clears what jobs that are over still have on the shelf. Of one that has succeeded: whoever ran it was killed between
 * the success and the clearing; a success is for good, so nobody can be at work with it, whichever server or worker that
 * would be. Of one that has failed or was cancelled: it can no longer be resumed. One that is no tenant's here is
 * somebody else's, since records of jobs are never removed. What others have stays.
 *
 * @param isOver whether nobody, on a machine whose clock is a little behind either, can resume the job.
 */
export async function clearLeftStates(
  shelf: Shelf,
  jobs: Jobs,
  tenants: readonly string[],
  isOver: (job: JobRecord) => boolean,
): Promise<void> {
  for (const id of await shelf.jobs()) {
    const job = await findJob(jobs, tenants, id);
    if (job && isOver(job)) await shelf.clear(id);
  }
}

async function findJob(jobs: Jobs, tenants: readonly string[], id: string): Promise<JobRecord | undefined> {
  for (const tenant of tenants) {
    try {
      return await jobs.get(tenant, id);
    } catch (error) {
      if (!(error instanceof AppError && UNREADABLE.has(error.code))) throw error;
    }
  }
  return undefined;
}

/** The tenant has no such job, or a newer version has written its record, which clears it. */
const UNREADABLE: ReadonlySet<string> = new Set(["NOT_FOUND", "NEWER_RECORD"]);
