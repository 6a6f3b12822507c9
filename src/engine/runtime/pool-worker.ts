/** Entry of a pool's worker threads: performs the tasks that a module exports, by name. */
import { workerData } from "node:worker_threads";
import type { PoolCall } from "./worker-pool.ts";
import { answerCalls } from "./worker-port.ts";

type Task = (input: unknown) => unknown;

const tasks = import(workerData as string) as Promise<Record<string, Task>>;

/** One at a time, however many were sent. */
let last: Promise<unknown> = Promise.resolve();

answerCalls((payload) => {
  const { name, input } = payload as PoolCall;
  const result = last.then(async () => (await tasks)[name](input));
  last = result.catch(() => {});
  return result;
});
