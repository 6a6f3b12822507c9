import { BullJobQueue } from "../../src/jobs/bull-queue.ts";
import { BullJobWorker } from "../../src/jobs/bull-worker.ts";
import type { EmbeddedJobQueueOptions } from "../../src/jobs/embedded-queue.ts";
import { RedisStore } from "../../src/store/redis.ts";
import { type JobServer, Log, optionsOf } from "./server.ts";

/** A server and a worker that share a Redis, in one process; without a worker where `concurrency` is 0. */
export async function startBullServer(
  url: string,
  folder: string,
  options: Partial<EmbeddedJobQueueOptions> = {},
): Promise<JobServer> {
  const prefix = folder.replace(/\W/g, "");
  const store = await RedisStore.open({ url, prefix, patienceMilliseconds: 20_000 });
  const log = new Log();
  const all = { ...optionsOf(folder, store, log), url, prefix, ...options };
  const queue = new BullJobQueue(all);
  const worker = options.concurrency === 0 ? undefined : new BullJobWorker(all);
  await queue.start();
  await worker?.start();
  return {
    store,
    queue,
    lines: log.lines,
    nextProcess: () => log.nextProcess(),
    close: async () => {
      await worker?.stop();
      await queue.stop();
      await store.close();
    },
  };
}
