import { packError } from "../engine/runtime/carried-error.ts";
import { failureOf, workerLost } from "./failure.ts";
import type { JobRecord, JobReport } from "./job.ts";
import { JobTimer } from "./job-meter.ts";
import type { JobOrder } from "./messages.ts";
import { type JobOutcome, JobProcess } from "./process.ts";
import type { JobChange } from "./records.ts";
import type { JobRunOptions } from "./run-options.ts";
import { afterServerLoss, isFinished } from "./states.ts";
import { supply } from "./supplies.ts";

/** So many processes lost without a newly saved state in between, and the job fails. */
const MOST_LOSSES = 3;

/** The job was given to somebody else meanwhile, who is not to be disturbed. */
class Superseded extends Error {}

/**
 * One attempt at one job: a process, what it tells, and what becomes of the job at its end. The record counts the
 * attempts; an attempt that is not the current one any more writes nothing.
 */
export class JobRun {
  private process: JobProcess | undefined;
  /** Steps of one job are written one after the other. */
  private writing: Promise<unknown> = Promise.resolve();
  private stopped = false;
  private cancelled = false;
  private attempt: number | undefined;
  /** When the attempt began; undefined once its end was told. */
  private began: number | undefined;
  /** Where the state is that the record names. */
  private kept: string | undefined;
  /** States that are being kept at this moment. */
  private readonly keeping = new Set<Promise<void>>();
  /** Processes that the record counts as lost. */
  private losses = 0;
  private timer: JobTimer | undefined;

  constructor(
    private readonly options: JobRunOptions,
    private readonly tenant: string,
    private readonly id: string,
  ) {}

  /** Resolves when the attempt is over, to whether the job is to be tried again at once. */
  async perform(): Promise<boolean> {
    const { records } = this.options;
    const job = await this.change((current) =>
      current.status === "QUEUED" && records.understands(current)
        ? {
            status: "VALIDATING",
            record: { attempts: current.attempts + 1, planVersion: records.versionAfter(current) },
          }
        : undefined,
    );
    if (job.status !== "VALIDATING") {
      await this.clearIfDone(job);
      return false;
    }
    this.attempt = job.attempts;
    this.losses = job.losses ?? 0;
    this.began = performance.now();
    this.options.observer.began(job);
    try {
      return await this.attemptAt(job);
    } finally {
      await this.leaveFolder(job);
      this.options.observer.left(job);
    }
  }

  private async attemptAt(job: JobRecord): Promise<boolean> {
    const refusal = await this.options.meter.charge(this.tenant, 0);
    if (refusal) return this.fail(packError(refusal));
    const outcome = await this.metered(this.run(job));
    await this.writing;
    return this.settle(outcome).catch(async (error) => {
      if (!(error instanceof Superseded)) throw error;
      this.options.logger.warn({ job: this.id }, "another attempt at a job has taken the place of this one");
      await this.clearIfDone(await this.options.records.get(this.tenant, this.id));
      return false;
    });
  }

  /** Ends the process because the job is not wanted any more; its record says CANCELLING by then. */
  cancel(): void {
    this.cancelled = true;
    this.process?.stop(this.options.graceMilliseconds);
  }

  /** Ends the process because the server stops; the job goes on at the next start. */
  stop(): void {
    this.stopped = true;
    this.process?.stop(this.options.graceMilliseconds);
  }

  /** Leaves the job to others after the attempt was stopped; nothing happens where another has it by now. */
  async giveBack(): Promise<void> {
    const { attempt } = this;
    if (attempt === undefined) return;
    await this.options.records.change(this.tenant, this.id, (job) =>
      isAttempt(job, attempt) ? afterServerLoss(job) : undefined,
    );
  }

  private async run(job: JobRecord): Promise<JobOutcome> {
    try {
      return await this.start(job, await this.prepare(job)).outcome;
    } catch (error) {
      return { kind: "failed", error: packError(error) };
    }
  }

  /** Has everything on this machine that the process will read. */
  private async prepare(job: JobRecord): Promise<JobOrder> {
    const { device, threads, niceness, handlersModule, shelf, supplies } = this.options;
    const own = this.folderOf(job);
    await this.options.assertTakes(job);
    await shelf.restore(job.id, own, job.kept);
    this.kept = job.kept;
    const spec = supplies ? await supply(job.spec, supplies) : job.spec;
    return {
      jobId: job.id,
      kind: job.kind,
      spec,
      folder: own,
      device,
      threads,
      niceness,
      handlersModule: handlersModule.href,
    };
  }

  private folderOf({ id, attempts }: JobRecord): string {
    return this.options.shelf.folder(this.options.folder, id, attempts);
  }

  /** A state that is still being kept, of a process that was too slow to stop, is read from there: nobody waits for it. */
  private async leaveFolder(job: JobRecord): Promise<void> {
    const kept = Promise.allSettled(this.keeping);
    const leaving = this.tidy(kept.then(() => this.options.shelf.leave(this.folderOf(job))));
    if (this.keeping.size === 0) await leaving;
  }

  private start(job: JobRecord, order: JobOrder): JobProcess {
    const { logger, graceMilliseconds } = this.options;
    this.process = new JobProcess(order, {
      onReport: (report) => {
        this.options.observer.reported(job, report);
        this.note(report);
      },
      onSaved: () => this.keepNow(order.folder),
      onOutput: (line) => logger.info({ job: job.id, line }, "a job's process wrote"),
    });
    logger.info({ job: job.id, pid: this.process.pid, attempt: job.attempts }, "a job's process started");
    if (this.cancelled || this.stopped) this.process.stop(graceMilliseconds);
    return this.process;
  }

  private keepNow(folder: string): Promise<void> {
    const keeping = this.keep(folder).finally(() => this.keeping.delete(keeping));
    this.keeping.add(keeping);
    return keeping;
  }

  /**
   * Keeps what the process has saved, and notes in the record where; what was kept before goes after that. A saved
   * state is headway, whether or not it ends an epoch: losses before it do not count any more.
   */
  private async keep(folder: string): Promise<void> {
    const kept = await this.options.shelf.keep(this.id, folder);
    const before = this.kept;
    if (kept === before && this.losses === 0) return;
    const noting = this.writing.then(() => this.change(() => ({ record: { kept, losses: 0 } })));
    this.writing = noting.catch((error) => this.stumble(error));
    await noting;
    this.losses = 0;
    this.kept = kept;
    if (kept !== before) await this.discard(before);
  }

  private async discard(kept: string | undefined): Promise<void> {
    if (kept !== undefined) await this.tidy(this.options.shelf.discard(this.id, kept));
  }

  /**
   * Removes what a job that has succeeded had kept: after the success of this attempt, and also after that of another
   * which was killed before it came to this, or beside which this one has kept something still.
   */
  private async clearIfDone({ status }: JobRecord): Promise<void> {
    if (status === "SUCCEEDED") await this.tidy(this.options.shelf.clear(this.id));
  }

  private tidy(tidying: Promise<void>): Promise<void> {
    return tidying.catch((error) => {
      this.options.logger.warn({ job: this.id, reason: String(error) }, "an old state was left behind");
    });
  }

  /** Charges the job for the time until it ends. */
  private metered(outcome: Promise<JobOutcome>): Promise<JobOutcome> {
    const timer = new JobTimer(this.options, this.tenant, {
      onStop: () => this.process?.stop(this.options.graceMilliseconds),
      onError: (error) => this.logError(error, "a job's time could not be counted"),
    });
    this.timer = timer;
    return outcome.finally(() => timer.end());
  }

  /** Writes down what the process tells; the first word means that its order was in order. */
  private note(report: JobReport): void {
    if (report.kind === "checkpoint") this.timer?.checkpoint();
    this.writing = this.writing
      .then(() =>
        this.change((job) => ({
          status: job.status === "VALIDATING" ? "RUNNING" : undefined,
          record: recordOf(report),
          reports: [report],
        })),
      )
      .catch((error) => this.stumble(error));
  }

  private stumble(error: unknown): void {
    if (error instanceof Superseded) this.process?.stop(0);
    else this.logError(error, "a job's report could not be stored");
  }

  private async settle(outcome: JobOutcome): Promise<boolean> {
    const cancelling = await this.change((job) =>
      job.status === "CANCELLING" ? { status: "CANCELLED" } : undefined,
    );
    if (cancelling.status === "CANCELLED") return false;
    if (outcome.kind === "done") return this.succeed(outcome.result);
    if (outcome.kind === "failed") return this.fail(outcome.error);
    if (this.stopped) return false;
    if (this.timer?.spent) return this.fail(packError(this.timer.spent));
    return this.lose(outcome.kind === "lost" ? outcome.reason : "by stopping unasked");
  }

  private async succeed(handlerResult: unknown): Promise<boolean> {
    const { complete } = this.options;
    try {
      // A handler without a word of progress has not been seen running.
      await this.change((job) => (job.status === "VALIDATING" ? { status: "RUNNING" } : undefined));
      const done = await this.change(async (job) => {
        if (job.status === "CANCELLING") return { status: "CANCELLED" };
        const { result, writes } = await complete(job, handlerResult, this.folderOf(job));
        return { status: "SUCCEEDED", record: { result, progress: 1, kept: undefined }, writes };
      });
      await this.clearIfDone(done);
      return false;
    } catch (error) {
      if (error instanceof Superseded) throw error;
      return this.fail(packError(error));
    }
  }

  private async fail(error: Parameters<typeof failureOf>[0]): Promise<boolean> {
    const failure = failureOf(error, this.id);
    const facts = { job: this.id, code: error.code, stack: error.stack };
    this.options.logger[failure.code === "INTERNAL" ? "error" : "warn"](
      facts,
      `job failed: ${error.message}`,
    );
    await this.change((job) => cancelledOr(job, { status: "FAILED", record: { failure } }));
    return false;
  }

  private async lose(reason: string): Promise<boolean> {
    this.options.logger.warn({ job: this.id, reason }, "a job's process was lost");
    const job = await this.change((current) => afterLoss(current, reason));
    return job.status === "QUEUED";
  }

  private async change(plan: (job: JobRecord) => JobChange | undefined | Promise<JobChange | undefined>) {
    const job = await this.options.records.change(this.tenant, this.id, (current) => {
      if (this.attempt !== undefined && !isAttempt(current, this.attempt)) throw new Superseded();
      return plan(current);
    });
    if (isFinished(job.status) && this.began !== undefined) {
      this.options.observer.ended(job, (performance.now() - this.began) / 1000);
      this.began = undefined;
    }
    return job;
  }

  private logError(error: unknown, message: string): void {
    this.options.logger.error({ job: this.id, stack: packError(error).stack }, message);
  }
}

/** What becomes of a job whose process ended without a word: it goes on elsewhere, unless that happens too often. */
export function afterLoss(job: JobRecord, reason: string): JobChange {
  const losses = (job.losses ?? 0) + 1;
  if (losses >= MOST_LOSSES)
    return cancelledOr(job, { status: "FAILED", record: { losses, failure: workerLost(losses, reason) } });
  const text = `The job's process ended ${reason}; another goes on from the last checkpoint.`;
  const report: JobReport = { kind: "log", level: "warning", text };
  return cancelledOr(job, { status: "QUEUED", record: { losses }, reports: [report] });
}

function isAttempt({ attempts, status }: JobRecord, attempt: number): boolean {
  return attempts === attempt && status !== "QUEUED" && !isFinished(status);
}

/** What the record keeps of a report. */
function recordOf(report: JobReport): JobChange["record"] {
  return report.kind === "step" ? { progress: report.progress, etaSeconds: report.etaSeconds } : undefined;
}

/** Whoever cancels while a job comes to another end gets what they asked for. */
function cancelledOr(job: JobRecord, change: JobChange): JobChange {
  return job.status === "CANCELLING" ? { status: "CANCELLED" } : change;
}
