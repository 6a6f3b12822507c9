import { packError } from "../engine/runtime/carried-error.ts";
import type { Device } from "../engine/runtime/device.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import { AppError } from "../errors.ts";
import type { Store, Write } from "../store/store.ts";
import { jobFolder } from "./folder.ts";
import type { JobKind, JobRecord } from "./job.ts";
import { type JobEvents, type JobListOptions, JobRecords } from "./records.ts";
import { type CompleteJob, type JobLogger, JobRun } from "./run.ts";
import { isFinished, mayBecome } from "./states.ts";

export interface JobQueueOptions {
  readonly store: Store;
  /** Each job has a folder of its own in it. */
  readonly folder: string;
  /** How many jobs run at once. */
  readonly concurrency?: number;
  /** How many jobs may wait, over all tenants; one more is refused. */
  readonly capacity?: number;
  readonly device: Device;
  /** Threads that each job may compute with. */
  readonly threads: number;
  readonly complete: CompleteJob;
  readonly logger: JobLogger;
  /** How long a process that is told to stop may take before it is killed. */
  readonly graceMilliseconds?: number;
  /** Module that exports `handlers`, one for each kind of job; the job processes load it. */
  readonly handlersModule?: URL;
  readonly now?: () => Date;
}

type WaitingJob = Pick<JobRecord, "id" | "tenant">;

/** What a caller refused for a full queue is told to wait. */
const RETRY_AFTER_MILLISECONDS = 30_000;

/**
 * The embedded job queue: jobs wait in the order they came, each runs in a child process, and everything about them
 * is in the store, so that a killed server goes on with them where their last checkpoint is.
 */
export class JobQueue {
  private readonly records: JobRecords;
  private readonly waiting: WaitingJob[] = [];
  private readonly running = new Map<string, { run: JobRun; ended: Promise<void> }>();
  private arriving = 0;
  private open = false;

  constructor(private readonly options: JobQueueOptions) {
    this.records = new JobRecords(options.store, options.now ?? (() => new Date()));
  }

  /** Takes up the jobs that an earlier server left unfinished, and begins to run. */
  async start(): Promise<void> {
    for (const active of await this.records.active()) {
      const job = await this.records.change(active.tenant, active.id, recover);
      if (job.status === "QUEUED") this.join(job);
    }
    this.open = true;
    this.pump();
  }

  /**
   * Throws OVERLOADED, at once, when as many jobs wait as may. What `alongside` gives is written in one commit with
   * the job; when that commit fails, there is no job and it throws IDEMPOTENCY_CONFLICT.
   */
  async enqueue(
    tenant: string,
    kind: JobKind,
    spec: unknown,
    alongside: (job: JobRecord) => readonly Write[] = () => [],
  ): Promise<JobRecord> {
    return this.admit(() => this.records.create(tenant, kind, spec, alongside));
  }

  /** A waiting job is cancelled at once, a running one becomes CANCELLING; a finished one stays as it is. */
  async cancel(tenant: string, id: string): Promise<JobRecord> {
    const job = await this.records.change(tenant, id, ({ status }) => {
      if (status === "QUEUED") return { status: "CANCELLED" };
      return mayBecome(status, "CANCELLING") ? { status: "CANCELLING" } : undefined;
    });
    if (job.status === "CANCELLING") this.running.get(id)?.run.cancel();
    if (isFinished(job.status)) this.leave(id);
    return job;
  }

  /** Queues a failed or cancelled job again; it goes on from its last checkpoint. VALIDATION_FAILED for any other. */
  async resume(tenant: string, id: string): Promise<JobRecord> {
    return this.admit(() =>
      this.records.change(tenant, id, ({ status }) => {
        if (!mayBecome(status, "QUEUED") || !isFinished(status)) throw notResumable(id, status);
        return { status: "QUEUED", record: { failure: undefined, losses: 0 } };
      }),
    );
  }

  /** Throws NOT_FOUND for a job that the tenant does not have. */
  async get(tenant: string, id: string): Promise<JobRecord> {
    return this.records.get(tenant, id);
  }

  /** The tenant's jobs, newest first. */
  async list(tenant: string, options?: JobListOptions): Promise<JobRecord[]> {
    return this.records.list(tenant, options);
  }

  /** 1 for the job that is run next; undefined for one that does not wait. */
  position(id: string): number | undefined {
    const index = this.waiting.findIndex((job) => job.id === id);
    return index < 0 ? undefined : index + 1;
  }

  /** How many jobs wait and run, over all tenants. */
  counts(): { readonly waiting: number; readonly running: number } {
    return { waiting: this.waiting.length, running: this.running.size };
  }

  /** The folder of the job's own. */
  folder(id: string): string {
    return jobFolder(this.options.folder, id);
  }

  /**
   * The events after `afterSeq`: those stored first, then each as it happens; completes once the job is finished. A
   * slow reader misses nothing and holds nothing up: it reads from the store. Throws NOT_FOUND at the first step.
   */
  events(tenant: string, id: string, afterSeq: number, signal?: AbortSignal): JobEvents {
    return this.records.events(tenant, id, afterSeq, signal);
  }

  /** Tells the running processes to stop and waits for them; their jobs go on at the next start. */
  async stop(): Promise<void> {
    this.open = false;
    for (const { run } of this.running.values()) run.stop();
    await Promise.all([...this.running.values()].map(({ ended }) => ended));
  }

  private async admit(write: () => Promise<JobRecord>): Promise<JobRecord> {
    const capacity = this.options.capacity ?? 100;
    if (this.waiting.length + this.arriving >= capacity) throw overloaded(capacity);
    this.arriving++;
    try {
      const job = await write();
      this.join(job);
      return job;
    } finally {
      this.arriving--;
      this.pump();
    }
  }

  private pump(): void {
    while (this.open && this.running.size < (this.options.concurrency ?? 1)) {
      const next = this.waiting.shift();
      if (!next) return;
      this.launch(next);
    }
  }

  private launch(job: WaitingJob): void {
    const { handlersModule = entryPoint(import.meta.url, "handlers/index"), graceMilliseconds = 10_000 } =
      this.options;
    const run = new JobRun(
      { ...this.options, records: this.records, handlersModule, graceMilliseconds },
      job.tenant,
      job.id,
    );
    const ended = run
      .perform()
      .catch((error) => {
        const facts = { job: job.id, stack: packError(error).stack };
        this.options.logger.error(
          facts,
          "a job's end could not be stored; it is taken up again at the next start",
        );
        return false;
      })
      .then((again) => {
        if (this.running.get(job.id)?.run === run) this.running.delete(job.id);
        // It was the first to come, so it is the first to go again.
        if (again) this.waiting.unshift(job);
        this.pump();
      });
    this.running.set(job.id, { run, ended });
  }

  private join({ id, tenant }: WaitingJob): void {
    if (!this.running.has(id) && !this.position(id)) this.waiting.push({ id, tenant });
  }

  private leave(id: string): void {
    const index = this.waiting.findIndex((job) => job.id === id);
    if (index >= 0) this.waiting.splice(index, 1);
  }
}

/** What becomes of a job whose server is gone. */
function recover({ status }: JobRecord) {
  if (status === "CANCELLING") return { status: "CANCELLED" } as const;
  return status === "QUEUED" || isFinished(status) ? undefined : ({ status: "QUEUED" } as const);
}

function overloaded(capacity: number): AppError {
  return new AppError("OVERLOADED", `${capacity} jobs wait already. Try again when some of them are done.`, {
    retryAfterMs: RETRY_AFTER_MILLISECONDS,
  });
}

function notResumable(id: string, status: string): AppError {
  return new AppError(
    "VALIDATION_FAILED",
    `Job ${id} is ${status}. Only a job that failed or was cancelled can be resumed.`,
    { id, status },
  );
}
