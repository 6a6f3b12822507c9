import { DelayedError, type Job, WaitingError, Worker } from "bullmq";
import { packError } from "../engine/runtime/carried-error.ts";
import type { Device } from "../engine/runtime/device.ts";
import { AppError } from "../errors.ts";
import type { Store } from "../store/store.ts";
import {
  type BullOptions,
  bullClient,
  bullPrefix,
  carrierOf,
  type JobAddress,
  QUEUE_NAME,
  troubleReporter,
} from "./bull-queue.ts";
import { type JobRecord, namedDevice } from "./job.ts";
import { type AtJobEnd, JobRecords } from "./records.ts";
import { afterLoss, JobRun } from "./run.ts";
import { type JobRunnerOptions, runOptions } from "./run-options.ts";
import { isFinished } from "./states.ts";

export interface BullJobWorkerOptions extends BullOptions, JobRunnerOptions {
  readonly store: Store;
  /** What jobs that name a device can have here; others are left to other workers. Anything when absent. */
  readonly devices?: readonly Device[];
  /** How many jobs run at once. */
  readonly concurrency?: number;
  /** A worker that was not heard of for so long is taken for dead, and others go on with its jobs. */
  readonly lockMilliseconds?: number;
  readonly now?: () => Date;
  /** Of the newest plans that this worker understands. */
  readonly planVersion?: number;
  readonly atEnd?: AtJobEnd;
}

const LOCK_MILLISECONDS = 30_000;
const RETRY_MILLISECONDS = 1_000;
const FAREWELL_MILLISECONDS = 5_000;
/** How long a job that needs another worker is left to others before this one looks at it again. */
const OTHERS_FIRST_MILLISECONDS = 2_000;

interface RunningJob {
  readonly run: JobRun;
  readonly ended: Promise<unknown>;
}

/** Runs the jobs that BullMQ hands out, each in a child process. */
export class BullJobWorker {
  private readonly records: JobRecords;
  private readonly client: ReturnType<typeof bullClient>;
  private readonly worker: Worker<JobAddress>;
  private readonly running = new Map<string, RunningJob>();
  private stopping = false;

  constructor(private readonly options: BullJobWorkerOptions) {
    const { url, prefix, concurrency = 1, lockMilliseconds = LOCK_MILLISECONDS, logger } = options;
    const { store, now = () => new Date(), atEnd, planVersion } = options;
    this.records = new JobRecords(store, now, atEnd, planVersion);
    this.client = bullClient(url);
    this.worker = new Worker(QUEUE_NAME, (job, token) => this.process(job, token), {
      connection: this.client,
      prefix: bullPrefix(prefix),
      concurrency,
      lockDuration: lockMilliseconds,
      stalledInterval: lockMilliseconds,
      // Losses are counted in the job's record, where a saved state forgives them.
      maxStalledCount: Number.MAX_SAFE_INTEGER,
      runRetryDelay: RETRY_MILLISECONDS,
      autorun: false,
    });
    const report = troubleReporter(this.client, logger);
    this.worker.on("error", report);
  }

  /** Begins to take jobs. */
  async start(): Promise<void> {
    await this.worker.waitUntilReady();
    void this.worker.run();
  }

  /** Takes no more jobs, lets the running ones save where they are, and gives them back to go on elsewhere. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const { run } of this.running.values()) run.stop();
    const { graceMilliseconds } = runOptions(this.options, this.records);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMilliseconds + FAREWELL_MILLISECONDS);
    });
    // While Redis is away nothing can be given back; then others take the jobs for those of a dead worker.
    await Promise.race([this.worker.close(), late]);
    clearTimeout(timer);
    if (this.client.isOpen) this.client.destroy();
  }

  private async process(job: Job<JobAddress>, token: string | undefined): Promise<void> {
    const { tenant, id } = job.data;
    if (await this.isLeftOver(job)) return;
    if (await this.isForOthers(tenant, id)) {
      await job.moveToDelayed(Date.now() + OTHERS_FIRST_MILLISECONDS, token);
      throw new DelayedError();
    }
    try {
      // An earlier attempt of this very worker, whose hold on the job was lost.
      this.running.get(id)?.run.stop();
      await this.running.get(id)?.ended;
      await this.records.change(tenant, id, takeOver);
      if (!this.stopping) await this.perform(tenant, id);
      if (!this.stopping) return;
      // Another worker may have it, or it is at its end.
      if ((await this.records.get(tenant, id)).status !== "QUEUED") return;
    } catch (error) {
      if (error instanceof AppError && error.code === "NOT_FOUND") return;
      const facts = { job: id, stack: packError(error).stack };
      this.options.logger.error(facts, "a job's end could not be stored; the next sweep takes it up again");
      return;
    }
    await job.moveToWait(token);
    throw new WaitingError();
  }

  /** Whether the job was queued anew since: then another carries it, and may have brought it to a worker already. */
  private async isLeftOver({ id: carrier, data }: Job<JobAddress>): Promise<boolean> {
    // What cannot be read now is met again, and told, by whatever is done next.
    const ticket = await this.records.ticket(data.id).catch(() => undefined);
    return ticket !== undefined && carrier !== carrierOf(ticket);
  }

  /**
   * A job that a newer server has planned, or that names a device which is not here, is not touched: its record, its
   * losses and its attempts stay.
   */
  private async isForOthers(tenant: string, id: string): Promise<boolean> {
    const { devices, logger } = this.options;
    const job = await this.records.get(tenant, id).catch(codeOf);
    if (typeof job === "string") return job === "NEWER_RECORD";
    // It needs no more than a word in its record, for which any worker will do.
    if (isFinished(job.status) || job.status === "CANCELLING") return false;
    if (!this.records.understands(job)) {
      const facts = { job: id, planVersion: job.planVersion };
      logger.info(facts, "a job waits for a worker of a newer version");
      return true;
    }
    const device = namedDevice(job);
    if (device === undefined || devices === undefined || devices.includes(device)) return false;
    logger.info({ job: id, device }, "a job waits for a worker with another device");
    return true;
  }

  /** Tries until the job is at an end, or this worker is to stop and gives it back. */
  private async perform(tenant: string, id: string): Promise<void> {
    for (let again = true; again && !this.stopping; ) {
      const run = new JobRun(runOptions(this.options, this.records), tenant, id);
      const unwatch = this.records.watch(tenant, id, () => void this.look(run, tenant, id));
      const attempt = run.perform();
      this.running.set(id, { run, ended: attempt.catch(() => {}) });
      try {
        again = await attempt;
        if (this.stopping) await run.giveBack();
      } finally {
        unwatch();
        this.running.delete(id);
      }
    }
  }

  /** Somebody may have cancelled the job on another server. */
  private async look(run: JobRun, tenant: string, id: string): Promise<void> {
    try {
      if ((await this.records.get(tenant, id)).status === "CANCELLING") run.cancel();
    } catch (error) {
      this.options.logger.warn({ job: id, reason: String(error) }, "a job's record could not be read");
    }
  }
}

/** Of an expected failure. What cannot be read now is met again, and told, by whatever is done next. */
const codeOf = (error: unknown): string => (error instanceof AppError ? error.code : "INTERNAL");

/** A job that is handed out while its record says that it runs has lost its worker. */
function takeOver(job: JobRecord) {
  if (job.status === "QUEUED" || isFinished(job.status)) return undefined;
  return afterLoss(job, "with its worker");
}
