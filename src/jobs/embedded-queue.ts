import { packError } from "../engine/runtime/carried-error.ts";
import type { JobRecord } from "./job.ts";
import { type JobCounts, JobQueue, type JobQueueOptions } from "./queue.ts";
import { JobRun } from "./run.ts";
import { type JobRunnerOptions, runOptions } from "./run-options.ts";
import { afterServerLoss, isFinished } from "./states.ts";

export interface EmbeddedJobQueueOptions extends JobQueueOptions, JobRunnerOptions {
  /** How many jobs run at once. */
  readonly concurrency?: number;
}

type WaitingJob = Pick<JobRecord, "id" | "tenant">;

/**
 * The queue inside a server that is alone: jobs wait in the order they came, each runs in a child process, and
 * everything about them is in the store, so that a killed server goes on with them where their last checkpoint is.
 */
export class EmbeddedJobQueue extends JobQueue {
  private readonly waiting: WaitingJob[] = [];
  private readonly running = new Map<string, { run: JobRun; ended: Promise<void> }>();
  private arriving = 0;
  private open = false;

  constructor(private readonly options: EmbeddedJobQueueOptions) {
    super(options);
  }

  async start(): Promise<void> {
    for (const active of await this.records.active()) {
      if (!this.records.understands(await this.records.get(active.tenant, active.id))) continue;
      const job = await this.records.change(active.tenant, active.id, afterServerLoss);
      if (job.status === "QUEUED") this.join(job);
    }
    this.open = true;
    this.pump();
  }

  async position(id: string): Promise<number | undefined> {
    return this.place(id);
  }

  async counts(): Promise<JobCounts> {
    return { waiting: this.waiting.length, running: this.running.size };
  }

  async stop(): Promise<void> {
    this.open = false;
    for (const { run } of this.running.values()) run.stop();
    await Promise.all([...this.running.values()].map(({ ended }) => ended));
  }

  protected async withdraw({ id, status }: JobRecord): Promise<void> {
    if (status === "CANCELLING") this.running.get(id)?.run.cancel();
    if (isFinished(status)) this.leave(id);
  }

  protected async admit(write: () => Promise<JobRecord>): Promise<JobRecord> {
    this.assertRoom(this.waiting.length + this.arriving);
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
    const run = new JobRun(runOptions(this.options, this.records), job.tenant, job.id);
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
    if (!this.running.has(id) && !this.place(id)) this.waiting.push({ id, tenant });
  }

  private leave(id: string): void {
    const index = this.waiting.findIndex((job) => job.id === id);
    if (index >= 0) this.waiting.splice(index, 1);
  }

  private place(id: string): number | undefined {
    const index = this.waiting.findIndex((job) => job.id === id);
    return index < 0 ? undefined : index + 1;
  }
}
