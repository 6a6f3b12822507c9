import { createHash } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { JobEvent, JobStatus } from "../../src/jobs/job.ts";
import { JobQueue, type JobQueueOptions } from "../../src/jobs/queue.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";

interface Line {
  readonly facts: Record<string, unknown>;
  readonly message: string;
}

/** The part of a server that runs jobs, over a folder that outlives it. */
export interface JobServer {
  readonly store: LmdbStore;
  readonly queue: JobQueue;
  readonly lines: Line[];
  /** Resolves with the process id once the job's next process has started. */
  nextProcess(): Promise<number>;
  close(): Promise<void>;
}

export async function startServer(
  folder: string,
  options: Partial<JobQueueOptions> = {},
): Promise<JobServer> {
  const store = await LmdbStore.open(join(folder, "store"));
  const lines: Line[] = [];
  let started: (pid: number) => void = () => {};
  const log = (facts: object, message: string) => {
    lines.push({ facts: facts as Line["facts"], message });
    if ("pid" in facts) started(facts.pid as number);
  };
  const queue = new JobQueue({
    store,
    folder: join(folder, "jobs"),
    device: "cpu",
    threads: 1,
    handlersModule: pathToFileURL(join(__dirname, "fixture-handlers.mjs")),
    complete: async (job, result) => ({
      result,
      writes: [{ kind: "put", key: `results/${job.id}`, value: result, expected: 0 }],
    }),
    logger: { info: log, warn: log, error: log },
    graceMilliseconds: 2_000,
    ...options,
  });
  await queue.start();
  return {
    store,
    queue,
    lines,
    nextProcess: () => new Promise((resolve) => (started = resolve)),
    close: async () => {
      await queue.stop();
      await store.close();
    },
  };
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
