import { parentPort } from "node:worker_threads";
import { packError } from "./carried-error.ts";
import { type Answer, buffersIn, type Call } from "./worker-messages.ts";

/**
 * The worker's side of a `WorkerChannel`: answers each call with what `handle` gives or throws. Typed arrays in the
 * answer are given away, so `handle` must not keep them.
 */
export function answerCalls(handle: (payload: unknown) => unknown): void {
  parentPort?.on("message", async ({ id, payload }: Call) => {
    try {
      const value = await handle(payload);
      post({ id, value }, buffersIn(value));
    } catch (error) {
      post({ id, error: packError(error) }, []);
    }
  });
}

function post(answer: Answer, transfer: ArrayBuffer[]): void {
  parentPort?.postMessage(answer, transfer);
}
