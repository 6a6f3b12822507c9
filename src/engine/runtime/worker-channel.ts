import { Worker } from "node:worker_threads";
import { AppError } from "../../errors.ts";
import { unpackError } from "./carried-error.ts";
import type { Answer, Call } from "./worker-messages.ts";

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/**
 * Calls into one worker thread, whose entry answers them with `answerCalls`. The thread is started by the first
 * call. When it dies, the calls under way fail with WORKER_LOST and the next call starts another.
 */
export class WorkerChannel {
  private worker: Worker | undefined;
  private readonly pending = new Map<number, PendingCall>();
  private calls = 0;
  private closed = false;

  /** @param data what the entry finds as `workerData`; copied at each start. */
  constructor(
    private readonly entry: URL,
    private readonly data: unknown,
  ) {}

  /** The payload is copied, but for the buffers in `transfer`, which are lost to the caller. */
  call(payload: unknown, transfer: readonly ArrayBuffer[] = []): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.closed) throw workerLost("is closed");
      this.worker ??= this.start();
      const call: Call = { id: this.calls++, payload };
      this.worker.postMessage(call, transfer);
      this.pending.set(call.id, { resolve, reject });
    });
  }

  /** Ends the thread, and with it every call under way. */
  async close(): Promise<void> {
    this.closed = true;
    await this.worker?.terminate();
  }

  private start(): Worker {
    const worker = new Worker(this.entry, { workerData: this.data, execArgv: [] });
    worker.on("message", (answer: Answer) => this.settle(answer));
    worker.on("messageerror", (error) => this.lose(worker, error));
    worker.on("error", (error) => this.lose(worker, error));
    worker.on("exit", (code) => this.lose(worker, new Error(`It ended with exit code ${code}.`)));
    return worker;
  }

  private settle(answer: Answer): void {
    const call = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if ("error" in answer) call?.reject(unpackError(answer.error));
    else call?.resolve(answer.value);
  }

  private lose(worker: Worker, cause: Error): void {
    if (this.worker !== worker) return;
    this.worker = undefined;
    void worker.terminate();
    const calls = [...this.pending.values()];
    this.pending.clear();
    for (const call of calls) call.reject(workerLost("died", cause));
  }
}

function workerLost(what: string, cause?: Error): AppError {
  return new AppError("WORKER_LOST", `The worker thread ${what}. Send the request again.`, {}, { cause });
}
