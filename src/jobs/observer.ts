import type { JobRecord, JobReport } from "./job.ts";

/** Hears of the attempts at jobs that are made here, for measurements. It must not throw. */
export interface JobObserver {
  began?(job: JobRecord): void;
  reported?(job: JobRecord, report: JobReport): void;
  /** The job came to its end. @param seconds of the attempt that ended it. */
  ended?(job: JobRecord, seconds: number): void;
  /** The attempt is over, however it went; comes last. */
  left?(job: JobRecord): void;
}

/** One that passes on to all. */
export function observeTogether(observers: readonly JobObserver[]): Required<JobObserver> {
  return {
    began: (job) => observers.forEach((one) => void one.began?.(job)),
    reported: (job, report) => observers.forEach((one) => void one.reported?.(job, report)),
    ended: (job, seconds) => observers.forEach((one) => void one.ended?.(job, seconds)),
    left: (job) => observers.forEach((one) => void one.left?.(job)),
  };
}
