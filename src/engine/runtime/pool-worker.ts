/** Entry of a pool's worker threads: performs the tasks that a module exports, by name. */
import { workerData } from "node:worker_threads";
import type { PoolCall } from "./worker-pool.ts";
import { answerCalls } from "./worker-port.ts";

type Task = (input: unknown) => unknown;

const tasks = import(workerData as string) as Promise<Record<string, Task>>;

answerCalls(async (payload) => {
  const { name, input } = payload as PoolCall;
  return (await tasks)[name](input);
});
