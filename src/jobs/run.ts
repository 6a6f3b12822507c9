import { packError } from "../engine/runtime/carried-error.ts";
import type { Device } from "../engine/runtime/device.ts";
import type { Write } from "../store/store.ts";
import { failureOf, workerLost } from "./failure.ts";
import { jobFolder } from "./folder.ts";
import type { JobRecord, JobReport } from "./job.ts";
import { type JobOutcome, JobProcess } from "./process.ts";
import type { JobChange, JobRecords } from "./records.ts";

/** Where the queue's own news goes; pino's loggers fit. */
export interface JobLogger {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export interface JobRunOptions {
  readonly records: JobRecords;
  readonly folder: string;
  readonly device: Device;
  readonly threads: number;
  readonly handlersModule: URL;
  readonly graceMilliseconds: number;
  readonly complete: CompleteJob;
  readonly logger: JobLogger;
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

/** So many processes lost without a new checkpoint in between, and the job fails. */
const MOST_LOSSES = 3;

/** One attempt at one job: a process, what it tells, and what becomes of the job at its end. */
export class JobRun {
  private process: JobProcess | undefined;
  /** Steps of one job are written one after the other. */
  private writing: Promise<unknown> = Promise.resolve();
  private stopped = false;
  private cancelled = false;

  constructor(
    private readonly options: JobRunOptions,
    private readonly tenant: string,
    private readonly id: string,
  ) {}

  /** Resolves when the attempt is over, to whether the job is to be tried again at once. */
  async perform(): Promise<boolean> {
    const job = await this.change((current) =>
      current.status === "QUEUED"
        ? { status: "VALIDATING", record: { attempts: current.attempts + 1 } }
        : undefined,
    );
    if (job.status !== "VALIDATING") return false;
    const outcome = await this.start(job).outcome;
    await this.writing;
    return this.settle(outcome);
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

  private start(job: JobRecord): JobProcess {
    const { folder, device, threads, handlersModule, logger, graceMilliseconds } = this.options;
    const order = {
      jobId: job.id,
      kind: job.kind,
      spec: job.spec,
      folder: jobFolder(folder, job.id),
      device,
      threads,
      handlersModule: handlersModule.href,
    };
    this.process = new JobProcess(order, {
      onReport: (report) => this.note(report),
      onOutput: (line) => logger.info({ job: job.id, line }, "a job's process wrote"),
    });
    logger.info({ job: job.id, pid: this.process.pid, attempt: job.attempts }, "a job's process started");
    if (this.cancelled || this.stopped) this.process.stop(graceMilliseconds);
    return this.process;
  }

  /** Writes down what the process tells; the first word means that its order was in order. */
  private note(report: JobReport): void {
    this.writing = this.writing
      .then(() =>
        this.change((job) => ({
          status: job.status === "VALIDATING" ? "RUNNING" : undefined,
          record: recordOf(report),
          reports: [report],
        })),
      )
      .catch((error) => this.logError(error, "a job's report could not be stored"));
  }

  private async settle(outcome: JobOutcome): Promise<boolean> {
    const cancelling = await this.change((job) =>
      job.status === "CANCELLING" ? { status: "CANCELLED" } : undefined,
    );
    if (cancelling.status === "CANCELLED") return false;
    if (outcome.kind === "done") return this.succeed(outcome.result);
    if (outcome.kind === "failed") return this.fail(outcome.error);
    if (this.stopped) return false;
    return this.lose(outcome.kind === "lost" ? outcome.reason : "by stopping unasked");
  }

  private async succeed(handlerResult: unknown): Promise<boolean> {
    const { complete, folder } = this.options;
    try {
      // A handler without a word of progress has not been seen running.
      await this.change((job) => (job.status === "VALIDATING" ? { status: "RUNNING" } : undefined));
      await this.change(async (job) => {
        if (job.status === "CANCELLING") return { status: "CANCELLED" };
        const { result, writes } = await complete(job, handlerResult, jobFolder(folder, job.id));
        return { status: "SUCCEEDED", record: { result, progress: 1 }, writes };
      });
      return false;
    } catch (error) {
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
    const job = await this.change((current) => {
      const losses = (current.losses ?? 0) + 1;
      if (losses >= MOST_LOSSES)
        return cancelledOr(current, {
          status: "FAILED",
          record: { losses, failure: workerLost(losses, reason) },
        });
      const text = `The job's process ended ${reason}; another goes on from the last checkpoint.`;
      const report: JobReport = { kind: "log", level: "warning", text };
      return cancelledOr(current, { status: "QUEUED", record: { losses }, reports: [report] });
    });
    return job.status === "QUEUED";
  }

  private change(plan: (job: JobRecord) => JobChange | undefined | Promise<JobChange | undefined>) {
    return this.options.records.change(this.tenant, this.id, plan);
  }

  private logError(error: unknown, message: string): void {
    this.options.logger.error({ job: this.id, stack: packError(error).stack }, message);
  }
}

/** What the record keeps of a report. A checkpoint is headway: losses before it do not count any more. */
function recordOf(report: JobReport): JobChange["record"] {
  if (report.kind === "step") return { progress: report.progress, etaSeconds: report.etaSeconds };
  return report.kind === "checkpoint" ? { losses: 0 } : undefined;
}

/** Whoever cancels while a job comes to another end gets what they asked for. */
function cancelledOr(job: JobRecord, change: JobChange): JobChange {
  return job.status === "CANCELLING" ? { status: "CANCELLED" } : change;
}
