import type { CarriedError } from "../engine/runtime/carried-error.ts";
import type { Device } from "../engine/runtime/device.ts";
import type { JobKind, JobReport } from "./job.ts";

/** Serving goes first, and jobs go on. */
export const DEFAULT_NICENESS = 15;

/** What a job's process is given at its start. */
export interface JobOrder {
  readonly jobId: string;
  readonly kind: JobKind;
  readonly spec: unknown;
  /** The job's own folder; the saved state lies in it. */
  readonly folder: string;
  readonly device: Device;
  readonly threads: number;
  /** How far the process gives way to others, 0 to 19 as nice counts. */
  readonly niceness: number;
  /** URL of the module with `handlers`. */
  readonly handlersModule: string;
}

export type MessageToChild =
  | { readonly kind: "start"; readonly order: JobOrder }
  /** Stop between two steps; what is saved stays. */
  | { readonly kind: "stop" }
  /** What was saved is safe; or why it is not. */
  | { readonly kind: "kept"; readonly error?: CarriedError };

export type MessageFromChild =
  | { readonly kind: "report"; readonly report: JobReport }
  /** A state lies in the folder; the process waits until it is kept. */
  | { readonly kind: "saved" }
  | { readonly kind: "done"; readonly result: unknown }
  | { readonly kind: "failed"; readonly error: CarriedError }
  | { readonly kind: "stopped" };

/** The last word of a process, after which it is let go. */
export type FinalMessage = Exclude<MessageFromChild, { kind: "report" | "saved" }>;
