import { AppError } from "../errors.ts";
import type { JobStatus } from "./job.ts";

/** What a job may become. QUEUED again: its process was lost, the server restarted, or somebody resumed it. */
const TRANSITIONS: Readonly<Record<JobStatus, readonly JobStatus[]>> = {
  QUEUED: ["VALIDATING", "CANCELLED"],
  VALIDATING: ["RUNNING", "CANCELLING", "FAILED", "QUEUED"],
  RUNNING: ["SUCCEEDED", "CANCELLING", "FAILED", "QUEUED"],
  CANCELLING: ["CANCELLED"],
  SUCCEEDED: [],
  FAILED: ["QUEUED"],
  CANCELLED: ["QUEUED"],
};

const FINISHED: ReadonlySet<JobStatus> = new Set(["SUCCEEDED", "FAILED", "CANCELLED"]);

/** Whether nothing more happens to the job unless somebody resumes it. */
export function isFinished(status: JobStatus): boolean {
  return FINISHED.has(status);
}

/** Whether nothing can happen to the job any more: it has succeeded, or is too old to be resumed. */
export function isOver(
  { status, finishedAt }: { readonly status: JobStatus; readonly finishedAt?: string },
  now: Date,
  resumeMilliseconds: number,
): boolean {
  if (status === "SUCCEEDED") return true;
  if (!isFinished(status) || finishedAt === undefined) return false;
  return now.getTime() - Date.parse(finishedAt) > resumeMilliseconds;
}

export function mayBecome(from: JobStatus, to: JobStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Throws INTERNAL for a step that the table does not have: a mistake in the queue, never a caller's. */
export function assertTransition(from: JobStatus, to: JobStatus): void {
  if (mayBecome(from, to)) return;
  throw new AppError(
    "INTERNAL",
    `A job cannot go from ${from} to ${to}; see the table in src/jobs/states.ts.`,
    {
      from,
      to,
    },
  );
}

/** What becomes of a job whose server has stopped or is gone, through no fault of the job's. */
export function afterServerLoss({ status }: { readonly status: JobStatus }) {
  if (status === "CANCELLING") return { status: "CANCELLED" } as const;
  return status === "QUEUED" || isFinished(status) ? undefined : ({ status: "QUEUED" } as const);
}
