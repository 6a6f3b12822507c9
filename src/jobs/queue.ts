import { AppError } from "../errors.ts";
import type { Store, Write } from "../store/store.ts";
import { jobFolder } from "./folder.ts";
import type { JobKind, JobRecord } from "./job.ts";
import { type AtJobEnd, type JobEvents, type JobListOptions, JobRecords } from "./records.ts";
import { isFinished, isOver, mayBecome } from "./states.ts";

export interface JobQueueOptions {
  readonly store: Store;
  /** Each job has a folder of its own in it. */
  readonly folder: string;
  /** How many jobs may wait, over all tenants; one more is refused. */
  readonly capacity?: number;
  readonly now?: () => Date;
  readonly atEnd?: AtJobEnd;
  /** How long a job that has failed or was cancelled can be resumed; for ever when absent. */
  readonly resumeMilliseconds?: number;
  /** Of the plans that are made here, and of the newest that are run here; for tests of two versions. */
  readonly planVersion?: number;
}

export type JobCounts = Readonly<Record<"waiting" | "running", number>>;

/** What a caller refused for a full queue is told to wait. */
const RETRY_AFTER_MILLISECONDS = 30_000;
const CAPACITY = 100;

/**
 * Long work as its owners see it. The truth about a job is its record in the store; what differs from one queue to
 * another is where jobs wait and who runs them. `test/jobs/contract.ts` is what every queue promises.
 */
export abstract class JobQueue {
  protected readonly records: JobRecords;

  constructor(private readonly settings: JobQueueOptions) {
    const { store, now = () => new Date(), atEnd, planVersion } = settings;
    this.records = new JobRecords(store, now, atEnd, planVersion);
  }

  /** Takes up the jobs that were left unfinished. */
  abstract start(): Promise<void>;

  /** 1 for the job that is run next; undefined for one that does not wait. */
  abstract position(id: string): Promise<number | undefined>;

  /** How many jobs wait and run, over all tenants. */
  abstract counts(): Promise<JobCounts>;

  /** How many follow the events of jobs here at this moment. */
  get followers(): number {
    return this.records.followers;
  }

  /** Leaves the queue; jobs that it was running itself go on at the next start. */
  abstract stop(): Promise<void>;

  /** Writes a job that is to wait, and lets it wait; OVERLOADED where there is no room. */
  protected abstract admit(write: () => Promise<JobRecord>): Promise<JobRecord>;

  /** Its record says CANCELLED, or CANCELLING when it runs. */
  protected abstract withdraw(job: JobRecord): Promise<void>;

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
    await this.withdraw(job);
    return job;
  }

  /**
   * Queues a failed or cancelled job again; it goes on from its last checkpoint. VALIDATION_FAILED for any other, and
   * for one that is too old: its images may be gone.
   */
  async resume(tenant: string, id: string): Promise<JobRecord> {
    const { now = () => new Date(), resumeMilliseconds = Number.POSITIVE_INFINITY } = this.settings;
    return this.admit(() =>
      this.records.change(tenant, id, (job) => {
        const change = again(job);
        if (job.eventsDropped || isOver(job, now(), resumeMilliseconds)) throw tooOld(job);
        return change;
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

  /** The tenant's jobs that are not finished, but for those of these ids. */
  async unfinished(tenant: string, but: ReadonlySet<string> = new Set()): Promise<JobRecord[]> {
    return this.records.unfinished(tenant, but);
  }

  /** The folder of the job's own. */
  folder(id: string): string {
    return jobFolder(this.settings.folder, id);
  }

  /**
   * The events after `afterSeq`: those stored first, then each as it happens; completes once the job is finished. A
   * slow reader misses nothing and holds nothing up: it reads from the store. Throws NOT_FOUND at the first step.
   */
  events(tenant: string, id: string, afterSeq: number, signal?: AbortSignal): JobEvents {
    return this.records.events(tenant, id, afterSeq, signal);
  }

  /** Removes the events of the tenant's jobs that ended before a time. They cannot be resumed after that. */
  dropEvents(tenant: string, endedBefore: Date): Promise<void> {
    return this.records.dropEvents(tenant, endedBefore);
  }

  /** Throws OVERLOADED when so many jobs wait that there is no room for another. */
  protected assertRoom(waiting: number): void {
    const { capacity = CAPACITY } = this.settings;
    if (waiting < capacity) return;
    throw new AppError("OVERLOADED", `${capacity} jobs wait already. Try again when some of them are done.`, {
      retryAfterMs: RETRY_AFTER_MILLISECONDS,
    });
  }
}

function again({ id, status }: JobRecord) {
  if (mayBecome(status, "QUEUED") && isFinished(status))
    return { status: "QUEUED", record: { failure: undefined, losses: 0 } } as const;
  throw new AppError(
    "VALIDATION_FAILED",
    `Job ${id} is ${status}. Only a job that failed or was cancelled can be resumed.`,
    { id, status },
  );
}

const tooOld = ({ id, finishedAt }: JobRecord): AppError =>
  new AppError(
    "VALIDATION_FAILED",
    `Job ${id} ended at ${finishedAt}, which is too long ago to resume it. Start it anew.`,
    { id, finishedAt },
  );
