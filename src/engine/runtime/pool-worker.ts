/** Entry of a pool's worker threads: performs the tasks that a module exports, by name. */
import { basename } from "node:path";
import { workerData } from "node:worker_threads";
import { nameThread } from "./own-thread.ts";
import type { PoolCall } from "./worker-pool.ts";
import { answerCalls } from "./worker-port.ts";

type Task = (input: unknown) => unknown;

const module = workerData as string;
nameThread(basename(module).replace(/\.m?js$/, ""));
const tasks = import(module) as Promise<Record<string, Task>>;

/** One at a time, however many were sent. */
let last: Promise<unknown> = Promise.resolve();

answerCalls((payload) => {
  const { name, input } = payload as PoolCall;
  const result = last.then(async () => (await tasks)[name](input));
  last = result.catch(() => {});
  return result;
});
