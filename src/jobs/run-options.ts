import type { Device } from "../engine/runtime/device.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import type { Write } from "../store/store.ts";
import type { JobRecord } from "./job.ts";
import type { JobMeter } from "./job-meter.ts";
import { DEFAULT_NICENESS } from "./messages.ts";
import { type JobObserver, observeTogether } from "./observer.ts";
import type { JobRecords } from "./records.ts";
import { SharedShelf, type Shelf } from "./shelf.ts";
import type { Supplies } from "./supplies.ts";

/** Where the queue's own news goes; pino's loggers fit. */
export interface JobLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** How jobs are run here. */
export interface JobRunnerOptions {
  /** Each job has a folder of its own in it; without a shelf, whoever may go on with a job needs the same one. */
  readonly folder: string;
  /** Where what jobs have saved is kept. */
  readonly shelf?: Shelf;
  /** Where the files are that specs name; without it they name paths. */
  readonly supplies?: Supplies;
  readonly device: Device;
  /** Threads that each job may compute with. */
  readonly threads: number;
  /** How far a job gives way to other processes, 0 to 19; 10 when absent. */
  readonly niceness?: number;
  readonly complete: CompleteJob;
  /** Fails where `complete` could not take what the job will have made, so that it is not begun here. */
  readonly assertTakes?: (job: JobRecord) => Promise<void>;
  readonly logger: JobLogger;
  readonly observers?: readonly JobObserver[];
  /** How long a process that is told to stop may take before it is killed. */
  readonly graceMilliseconds?: number;
  /** Counts what jobs take; without one nobody does. */
  readonly meter?: JobMeter;
  /** How often a running job is charged. */
  readonly meterMilliseconds?: number;
  /** How long a job that may have no more time is waited for to come to a checkpoint. */
  readonly checkpointMilliseconds?: number;
  /** Module that exports `handlers`, one for each kind of job; the job processes load it. */
  readonly handlersModule?: URL;
}

export interface JobRunOptions extends Required<Omit<JobRunnerOptions, "supplies" | "observers">> {
  readonly supplies: Supplies | undefined;
  readonly observer: Required<JobObserver>;
  readonly records: JobRecords;
}

const NO_METER: JobMeter = { charge: async () => undefined };

export function runOptions(options: JobRunnerOptions, records: JobRecords): JobRunOptions {
  const {
    handlersModule = entryPoint(import.meta.url, "handlers/index"),
    graceMilliseconds = 10_000,
    shelf = new SharedShelf(options.folder),
    supplies,
    observers = [],
    meter = NO_METER,
    assertTakes = async () => {},
    meterMilliseconds = 1_000,
    checkpointMilliseconds = 60_000,
    niceness = DEFAULT_NICENESS,
  } = options;
  const defaults = { handlersModule, graceMilliseconds, meter, meterMilliseconds, checkpointMilliseconds };
  return {
    ...options,
    ...defaults,
    shelf,
    supplies,
    assertTakes,
    niceness,
    observer: observeTogether(observers),
    records,
  };
}

/**
 * Makes of a handler's result what the job record shows and what else is to be written, in one commit with the
 * job's success. Called again when something that it read has changed meanwhile, so it must bear repetition.
 * @param folder the job's own, where the handler left its files.
 */
export type CompleteJob = (
  job: JobRecord,
  result: unknown,
  folder: string,
) => Promise<{ result: unknown; writes: readonly Write[] }>;
