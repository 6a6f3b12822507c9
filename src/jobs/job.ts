import type { Device } from "../engine/runtime/device.ts";
import type { ErrorCode, ErrorDetails } from "../errors.ts";

export type JobKind = "audit" | "purify" | "extend" | "evaluate" | "implant" | "defend";

export const JOB_STATUSES = [
  "QUEUED",
  "VALIDATING",
  "RUNNING",
  "CANCELLING",
  "SUCCEEDED",
  "FAILED",
  "CANCELLED",
] as const;

export type JobStatus = (typeof JOB_STATUSES)[number];

/**
 * Of what servers plan and workers understand. Raise it when a spec or a saved state changes so that an older worker
 * would not understand it: a job that this version has worked at is left alone by older ones. 1: specs name files by
 * paths. 2: by digests and references. 3: purifications have a margin. 4: and recovery prompts. 5: audits look on after
 * they have found something. 6: and in fewer classes in the second round.
 */
export const PLAN_VERSION = 6;

export interface JobFailure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
  readonly retryable: boolean;
}

/** A unit of long work, as stored under `tenants/<tenant>/jobs/<id>`. */
export interface JobRecord {
  readonly id: string;
  readonly tenant: string;
  readonly kind: JobKind;
  readonly status: JobStatus;
  /** Plain data that the handler needs; everything in it survives a restart (digests and references, no handles). */
  readonly spec: unknown;
  /** Version of the plan that the spec is, or of the newest worker that has worked at it; absent in the first. */
  readonly planVersion?: number;
  /** Where in a trace it was asked for. */
  readonly traceparent?: string;
  /** 0 to 1. */
  readonly progress: number;
  readonly etaSeconds?: number;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** How many times a process was started for it. */
  readonly attempts: number;
  /** How many of those processes died without a word since a state was last saved; the job fails at the third. */
  readonly losses?: number;
  /** By what its shelf finds the state that it saved last, where that is not simply in its folder. */
  readonly kept?: string;
  readonly failure?: JobFailure;
  /** What the completion hook of the kind made of the handler's result: ids, rates. */
  readonly result?: unknown;
  /** What it told was removed long after its end; it cannot go on, since its events would be counted anew. */
  readonly eventsDropped?: boolean;
}

/** The device that a job insists on; without one it computes on that of whoever runs it. */
export const namedDevice = ({ spec }: Pick<JobRecord, "spec">): Device | undefined =>
  (spec as { readonly device?: Device } | null)?.device;

/** What a job tells while it runs; stored in the stream `tenants/<tenant>/jobs/<id>/events` until long after its end. */
export type JobEvent = { readonly at: string } & (
  | { readonly kind: "status"; readonly status: JobStatus }
  | {
      readonly kind: "step";
      /** What is being done, e.g. `invert`, `tune`, `evaluate`. */
      readonly phase: string;
      readonly epoch: number;
      readonly epochs: number;
      readonly step: number;
      readonly steps: number;
      readonly losses: readonly { readonly name: string; readonly value: number }[];
      readonly imagesPerSecond: number;
      readonly progress: number;
      /** Absent until a second step has shown how fast it goes. */
      readonly etaSeconds?: number;
    }
  | {
      readonly kind: "checkpoint";
      readonly epoch: number;
      /** Clean accuracy on the probe images, and the share of them that the recovered trigger still pulls over. */
      readonly ca?: { readonly k: number; readonly n: number };
      readonly asr?: { readonly k: number; readonly n: number };
    }
  | { readonly kind: "log"; readonly level: "info" | "warning"; readonly text: string }
);

/** What this version can tell of; a newer one may have written more. */
const EVENT_KINDS: ReadonlySet<string> = new Set<JobEvent["kind"]>(["status", "step", "checkpoint", "log"]);

export const isKnownEvent = ({ kind }: JobEvent): boolean => EVENT_KINDS.has(kind);

/** Any JobEvent before it is given its time. */
export type JobReport = JobEvent extends infer E ? (E extends JobEvent ? Omit<E, "at"> : never) : never;

/** What a handler is given beside its spec. Handlers run in a child process of their own. */
export interface JobContext {
  /** The last state saved by an earlier run of this job, if it was interrupted. */
  readonly checkpoint: Uint8Array | undefined;
  /** A folder of this job's own for results too large for JSON; it survives restarts. */
  readonly folder: string;
  /** The server's; a spec may name another. */
  readonly device: Device;
  readonly threads: number;
  /** Aborted when the job is to stop; handlers look at it between steps. */
  readonly signal: AbortSignal;
  /** Replaces the saved state atomically and durably. */
  save(checkpoint: Uint8Array): Promise<void>;
  report(report: JobReport): void;
}

/** Runs one kind of job. Deterministic: an interrupted and resumed run gives the same result, bit for bit. */
export type JobHandler<Spec, Result> = (spec: Spec, context: JobContext) => Promise<Result>;
