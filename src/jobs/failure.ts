import type { CarriedError } from "../engine/runtime/carried-error.ts";
import type { ErrorCode } from "../errors.ts";
import type { JobFailure } from "./job.ts";

/** Failures of the moment: the same job may succeed when it is resumed. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  "WORKER_LOST",
  "OVERLOADED",
  "THROTTLED",
  "DEADLINE_EXCEEDED",
  "QUOTA_EXCEEDED",
]);

/** What the owner of a job is told. Unexpected errors are masked; the log has them. */
export function failureOf(error: CarriedError, jobId: string): JobFailure {
  const { code, message, details } = error;
  if (code && code !== "INTERNAL") return { code, message, details, retryable: RETRYABLE.has(code) };
  const masked = `The job failed unexpectedly. The server's log says why, under job ${jobId}; tell its operator.`;
  return { code: "INTERNAL", message: masked, details: {}, retryable: false };
}

export function workerLost(losses: number, reason: string): JobFailure {
  const message = `The job's process ended ${losses} times without a word, last ${reason}. Resume it once there is enough memory; it goes on from its last checkpoint.`;
  return { code: "WORKER_LOST", message, details: { losses, reason }, retryable: true };
}
