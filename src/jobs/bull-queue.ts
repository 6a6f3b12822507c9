import { type JobType, Queue } from "bullmq";
import { createClient } from "redis";
import { AppError } from "../errors.ts";
import type { JobRecord } from "./job.ts";
import { type JobCounts, JobQueue, type JobQueueOptions } from "./queue.ts";
import type { ActiveJob, JobRecords } from "./records.ts";
import type { JobLogger } from "./run-options.ts";
import { isFinished } from "./states.ts";

/** Where the jobs of several servers and workers wait. */
export interface BullOptions {
  readonly url: string;
  readonly prefix: string;
}

export interface BullJobQueueOptions extends JobQueueOptions, BullOptions {
  readonly logger: JobLogger;
}

/** What BullMQ carries: where the job's record is. */
export type JobAddress = Pick<JobRecord, "id" | "tenant">;

export const QUEUE_NAME = "jobs";

/** Delayed is what a worker has given back because it is of an older version than the job. */
const WAITING: JobType[] = ["wait", "delayed"];

/** An unfinished job that nobody carries is found again so often. */
const SWEEP_MILLISECONDS = 30_000;
const ANSWER_MILLISECONDS = 2_000;

/** A client as BullMQ wants it: commands wait while it connects again. One that hangs while it connects gives up. */
export function bullClient(url: string) {
  const reconnectStrategy = (retries: number) => Math.min(50 * 2 ** retries, 1_000);
  return createClient({ url, pingInterval: 5_000, socket: { reconnectStrategy, socketTimeout: 15_000 } });
}

/** Logs a trouble once, not at every try, until the connection is there again. */
export function troubleReporter(client: ReturnType<typeof bullClient>, logger: JobLogger) {
  let last: string | undefined;
  client.on("ready", () => {
    last = undefined;
  });
  return ({ message }: Error): void => {
    if (message !== last) logger.warn({ reason: message }, "the queue's connection is in trouble");
    last = message;
  };
}

/** A job that is carried already is not carried twice: the ticket is the carrier's name. */
export const carrierOf = (ticket: string): string => `t${ticket}`;

export const bullPrefix = (prefix: string): string => `${prefix}:bull`;

/**
 * A server's side of the queue that servers and workers share. The job's record comes first, in one commit; BullMQ
 * only carries the news that it waits. Should a server die between the two, the next sweep carries it.
 */
export class BullJobQueue extends JobQueue {
  private readonly client: ReturnType<typeof bullClient>;
  private readonly bull: Queue<JobAddress>;
  /** Admissions go one after the other, so that no more are let in than there is room for. */
  private admitting: Promise<unknown> = Promise.resolve();
  private sweeper: NodeJS.Timeout | undefined;

  constructor(private readonly options: BullJobQueueOptions) {
    super(options);
    this.client = bullClient(options.url);
    this.bull = new Queue(QUEUE_NAME, { connection: this.client, prefix: bullPrefix(options.prefix) });
    const report = troubleReporter(this.client, options.logger);
    this.bull.on("error", report);
  }

  async start(): Promise<void> {
    await answer(carryAll(this.bull, this.records));
    this.sweeper = setInterval(() => {
      carryAll(this.bull, this.records).catch((error) =>
        this.options.logger.warn({ reason: String(error) }, "unfinished jobs could not be looked through"),
      );
    }, SWEEP_MILLISECONDS);
  }

  async position(id: string): Promise<number | undefined> {
    const waiting = await answer(this.bull.getJobs(WAITING, 0, -1, true));
    const index = waiting.findIndex((job) => job?.data.id === id);
    return index < 0 ? undefined : index + 1;
  }

  async counts(): Promise<JobCounts> {
    const { wait = 0, delayed = 0, active = 0 } = await answer(this.bull.getJobCounts(...WAITING, "active"));
    return { waiting: wait + delayed, running: active };
  }

  async stop(): Promise<void> {
    clearInterval(this.sweeper);
    await this.admitting;
    // A connection that is closed while it is being made is not closed.
    await answer(this.bull.waitUntilReady()).catch(() => {});
    await this.bull.close();
    if (this.client.isOpen) this.client.destroy();
  }

  /** Between servers that admit at the same moment, the bound may be passed by one job each. */
  protected admit(write: () => Promise<JobRecord>): Promise<JobRecord> {
    const admitted = this.admitting.then(async () => {
      this.assertRoom((await this.counts()).waiting);
      const job = await write();
      await this.carry(job);
      return job;
    });
    this.admitting = admitted.catch(() => {});
    return admitted;
  }

  /** A running job's worker sees it in the record, and so does one that takes it before it is removed here. */
  protected async withdraw({ id, status }: JobRecord): Promise<void> {
    if (!isFinished(status)) return;
    const removal = this.bull.getJobs(WAITING).then(async (waiting) => {
      for (const job of waiting) if (job?.data.id === id) await job.remove();
    });
    await answer(removal).catch((error) =>
      this.options.logger.warn({ job: id, reason: String(error) }, "a cancelled job is still carried"),
    );
  }

  private async carry({ id, tenant }: JobRecord): Promise<void> {
    try {
      const ticket = await this.records.ticket(id);
      if (ticket !== undefined) await answer(carryOne(this.bull, { id, tenant, ticket }));
    } catch (error) {
      // The job is written: whoever asked for it has it.
      this.options.logger.warn({ job: id, reason: String(error) }, "a job is carried by the next sweep");
    }
  }
}

/** Fails with OVERLOADED where BullMQ, which would wait for ever, gets no answer. */
function answer<Answer>(asked: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const details = { retryAfterMs: 2_000 };
    const late = () =>
      reject(new AppError("OVERLOADED", "The queue cannot be reached. Try again in a moment.", details));
    const timer = setTimeout(late, ANSWER_MILLISECONDS);
    asked.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

async function carryOne(bull: Queue<JobAddress>, { id, tenant, ticket }: ActiveJob): Promise<void> {
  const jobId = carrierOf(ticket);
  await bull.add("run", { id, tenant }, { jobId, removeOnComplete: true, removeOnFail: true });
}

export async function carryAll(bull: Queue<JobAddress>, records: JobRecords): Promise<void> {
  for (const active of await records.active()) await carryOne(bull, active);
}
