import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { EmbeddedJobQueue, type EmbeddedJobQueueOptions } from "../../src/jobs/embedded-queue.ts";
import type { JobEvent, JobStatus } from "../../src/jobs/job.ts";
import type { JobQueue } from "../../src/jobs/queue.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import type { Store } from "../../src/store/store.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

interface Line {
  readonly facts: Record<string, unknown>;
  readonly message: string;
}

/** The part of a server that runs jobs, over a folder that outlives it. */
export interface JobServer {
  readonly store: Store;
  readonly queue: JobQueue;
  readonly lines: Line[];
  /** Resolves with the process id once the job's next process has started. */
  nextProcess(): Promise<number>;
  close(): Promise<void>;
}

export type StartJobServer = (
  folder: string,
  options?: Partial<EmbeddedJobQueueOptions>,
) => Promise<JobServer>;

export const startServer: StartJobServer = async (folder, options) => {
  const store = await LmdbStore.open(join(folder, "store"));
  const log = new Log();
  const queue = new EmbeddedJobQueue({ ...optionsOf(folder, store, log), ...options });
  await queue.start();
  return {
    store,
    queue,
    lines: log.lines,
    nextProcess: () => log.nextProcess(),
    close: async () => {
      await queue.stop();
      await store.close();
    },
  };
};

/** Keeps what is logged, and hears of processes. */
export class Log {
  readonly lines: Line[] = [];
  private started: (pid: number) => void = () => {};

  readonly info = (facts: object, message: string): void => {
    this.lines.push({ facts: facts as Line["facts"], message });
    if ("pid" in facts) this.started(facts.pid as number);
  };
  readonly warn = this.info;
  readonly error = this.info;

  nextProcess(): Promise<number> {
    return new Promise((resolve) => {
      this.started = resolve;
    });
  }
}

export function optionsOf(folder: string, store: Store, logger: Log): EmbeddedJobQueueOptions {
  return {
    store,
    folder: join(folder, "jobs"),
    device: "cpu",
    threads: 1,
    niceness: 12,
    handlersModule: pathToFileURL(join(__dirname, "fixture-handlers.mjs")),
    complete: async (job, result) => ({
      result,
      writes: [{ kind: "put", key: `results/${job.id}`, value: result, expected: 0 }],
    }),
    logger,
    graceMilliseconds: 2_000,
  };
}

/** What a job of the chain handler waits for. */
export class Gate {
  private readonly file = join(temporaryFolder(), "open");

  /** Has a job wait at this step until the gate is open. */
  at(step: number) {
    return { end: { how: "wait", at: step, until: this.file } };
  }

  open(): void {
    writeFileSync(this.file, "");
  }
}

/** What the chain handler must answer, worked out here. */
export function chainHash(steps: number): string {
  let hash = "";
  for (let step = 0; step < steps; step++) hash = createHash("sha256").update(`${hash}${step}`).digest("hex");
  return hash;
}

export interface Told {
  readonly sequence: number[];
  readonly events: JobEvent[];
  readonly statuses: JobStatus[];
}

/** Follows a job to its end. */
export async function follow(queue: JobQueue, tenant: string, id: string, afterSeq = 0): Promise<Told> {
  const told: Told = { sequence: [], events: [], statuses: [] };
  for await (const { seq, event } of queue.events(tenant, id, afterSeq)) {
    told.sequence.push(seq);
    told.events.push(event);
    if (event.kind === "status") told.statuses.push(event.status);
  }
  return told;
}

/** Waits for the first event that fits. */
export async function eventOf(
  queue: JobQueue,
  tenant: string,
  id: string,
  fits: (event: JobEvent) => boolean,
) {
  for await (const { event } of queue.events(tenant, id, 0)) if (fits(event)) return event;
  throw new Error("the job ended before the event came");
}
