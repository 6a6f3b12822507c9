import { AppError } from "../../errors.ts";

export interface MicroBatcherOptions<In, Out> {
  /** Computes a batch: one result for each item, in order. Called again only when it is done. */
  readonly run: (batch: readonly In[]) => Promise<readonly Out[]>;
  /** Most items of one batch. */
  readonly maximumBatch: number;
  /** Most items that may wait; at least the largest request. */
  readonly capacity: number;
}

/** One item's result, and how it came about. */
export interface Batched<Out> {
  readonly value: Out;
  /** From its arrival until its batch left, in milliseconds. */
  readonly queueMilliseconds: number;
  readonly runMilliseconds: number;
  readonly batchSize: number;
}

interface WaitingItem<In, Out> {
  readonly item: In;
  readonly arrivedAt: number;
  resolve(result: Batched<Out>): void;
  reject(error: unknown): void;
}

/** What a refused caller is told to wait before any batch was measured. */
const FIRST_GUESS_MILLISECONDS = 1_000;

/**
 * Gathers the items of all requests into batches for a device that computes one at a time: a batch leaves as soon as
 * the device is free, with everything that has come by then, up to its largest size. The queue is bounded.
 */
export class MicroBatcher<In, Out> {
  private readonly waiting = new Set<WaitingItem<In, Out>>();
  private busy = false;
  private closed = false;
  private batchMilliseconds = FIRST_GUESS_MILLISECONDS;
  private drained: () => void = () => {};

  constructor(private readonly options: MicroBatcherOptions<In, Out>) {}

  /**
   * The results of a request's items, in order. All are admitted or none: OVERLOADED, at once, past the bound.
   * When the signal aborts, those that still wait leave the queue and the promise rejects with its reason.
   */
  async submit(items: readonly In[], signal?: AbortSignal): Promise<Batched<Out>[]> {
    signal?.throwIfAborted();
    this.assertRoom(items.length);
    const results = items.map((item) => this.enqueue(item, signal));
    this.schedule();
    return Promise.all(results);
  }

  /** Throws OVERLOADED when so many more items would not be admitted: ask before costly preparation. */
  assertRoom(count: number): void {
    const { capacity, maximumBatch } = this.options;
    if (!this.closed && this.waiting.size + count <= capacity) return;
    const batchesAhead = Math.ceil((this.waiting.size + 1) / maximumBatch);
    const what = this.closed ? "The server is stopping" : `${this.waiting.size} images wait already`;
    throw new AppError("OVERLOADED", `${what}. Send the request again later.`, {
      retryAfterMs: Math.ceil(batchesAhead * this.batchMilliseconds),
    });
  }

  /** Refuses new items and resolves once those it has are computed. */
  async close(): Promise<void> {
    this.closed = true;
    if (!this.busy) return;
    await new Promise<void>((resolve) => {
      this.drained = resolve;
    });
  }

  private enqueue(item: In, signal: AbortSignal | undefined): Promise<Batched<Out>> {
    let abort = () => {};
    const result = new Promise<Batched<Out>>((resolve, reject) => {
      const entry: WaitingItem<In, Out> = { item, arrivedAt: performance.now(), resolve, reject };
      this.waiting.add(entry);
      abort = () => {
        this.waiting.delete(entry);
        reject(signal?.reason);
      };
    });
    signal?.addEventListener("abort", abort);
    return result.finally(() => signal?.removeEventListener("abort", abort));
  }

  private schedule(): void {
    if (this.busy) return;
    this.busy = true;
    // One turn of the event loop lets requests that came together leave together.
    setImmediate(() => void this.work());
  }

  private async work(): Promise<void> {
    while (this.waiting.size > 0) await this.runBatch(this.take());
    this.busy = false;
    this.drained();
  }

  private take(): WaitingItem<In, Out>[] {
    const batch = [...this.waiting].slice(0, this.options.maximumBatch);
    for (const entry of batch) this.waiting.delete(entry);
    return batch;
  }

  private async runBatch(batch: readonly WaitingItem<In, Out>[]): Promise<void> {
    const leftAt = performance.now();
    try {
      const values = await this.options.run(batch.map(({ item }) => item));
      const runMilliseconds = performance.now() - leftAt;
      this.batchMilliseconds = runMilliseconds;
      batch.forEach(({ arrivedAt, resolve }, index) => {
        const queueMilliseconds = leftAt - arrivedAt;
        resolve({ value: values[index], queueMilliseconds, runMilliseconds, batchSize: batch.length });
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
