import { type Link, trace } from "@opentelemetry/api";
import { overloaded, Room, type RoomBounds } from "./room.ts";
import { Turns } from "./turns.ts";

/** `capacity` is at least the largest request. */
export interface MicroBatcherOptions<In, Out> extends RoomBounds {
  /**
   * Computes a batch: one result for each item, in order. Called again before it is done only with a full batch, for
   * the device to go on with, or to compute beside the first: at most two are under way.
   */
  readonly run: (batch: readonly In[]) => Promise<readonly Out[]>;
  /** Most items of one batch. */
  readonly maximumBatch: number;
  /** A batch has so few items that it takes about this long: whoever comes next waits for it. Any size when absent. */
  readonly longestBatchMilliseconds?: number;
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
  /** To the span of whoever waits, where there is one. */
  readonly link: Link | undefined;
  resolve(result: Batched<Out>): void;
  reject(error: unknown): void;
}

const tracer = trace.getTracer("antidote");

/** One is computed, and the next may lie ready. */
const MOST_UNDER_WAY = 2;

/**
 * Gathers the items of all requests into batches for a device that computes one at a time: a batch leaves as soon as
 * it is full or the device is free, with everything that has come by then. The queue is bounded.
 */
export class MicroBatcher<In, Out> {
  private readonly waiting = new Set<WaitingItem<In, Out>>();
  private readonly room: Room;
  private readonly turns = new Turns();
  private scheduled = false;
  private underWay = 0;
  private itemsUnderWay = 0;
  /** When the device began what it computes, or was last done. */
  private busySince = 0;
  /** Items of the batch that lies ready. */
  private ready = 0;
  private closed = false;
  private drained: () => void = () => {};

  constructor(private readonly options: MicroBatcherOptions<In, Out>) {
    this.room = new Room(options, "images");
  }

  /** How many items wait for the device. */
  get waitingItems(): number {
    return this.waiting.size + this.ready;
  }

  /**
   * The results of a request's items, in order. All are admitted or none: OVERLOADED, at once, past the bound.
   * When the signal aborts, those that still wait leave the queue and the promise rejects with its reason.
   */
  async submit(items: readonly In[], signal?: AbortSignal): Promise<Batched<Out>[]> {
    signal?.throwIfAborted();
    this.assertOpen();
    this.room.assertSpace(this.waitingItems, items.length);
    const results = items.map((item) => this.enqueue(item, signal));
    this.schedule();
    return Promise.all(results);
  }

  /**
   * Throws OVERLOADED when so many more items would not be admitted, or would wait too long: ask once for a request,
   * before costly preparation.
   *
   * @param preparing items that were admitted and are not here yet: they come first.
   */
  assertRoom(count: number, preparing = 0): void {
    this.assertOpen();
    this.room.assertTimely(this.waitingItems + preparing, count, this.millisecondsLeft());
  }

  /** Refuses new items and resolves once those it has are computed. */
  async close(): Promise<void> {
    this.closed = true;
    if (this.underWay === 0 && this.waiting.size === 0) return;
    await new Promise<void>((resolve) => {
      this.drained = resolve;
    });
  }

  /** Of the batch that is computed, at the pace of those before it. */
  private millisecondsLeft(): number {
    if (this.underWay === 0) return 0;
    const expected = (this.itemsUnderWay - this.ready) * (this.room.pace ?? 0);
    return Math.max(0, expected - (performance.now() - this.busySince));
  }

  private assertOpen(): void {
    if (this.closed) throw overloaded("The server is stopping");
  }

  private enqueue(item: In, signal: AbortSignal | undefined): Promise<Batched<Out>> {
    let abort = () => {};
    const result = new Promise<Batched<Out>>((resolve, reject) => {
      const arrivedAt = performance.now();
      const entry: WaitingItem<In, Out> = { item, arrivedAt, link: linkHere(), resolve, reject };
      this.waiting.add(entry);
      abort = () => {
        this.waiting.delete(entry);
        reject(signal?.reason);
      };
    });
    if (!signal) return result;
    signal.addEventListener("abort", abort);
    return result.finally(() => signal.removeEventListener("abort", abort));
  }

  private schedule(): void {
    if (this.underWay > 0) this.send();
    if (this.underWay > 0 || this.scheduled) return;
    this.scheduled = true;
    // One turn of the event loop lets requests that came together leave together.
    setImmediate(() => {
      this.scheduled = false;
      this.send();
    });
  }

  private send(): void {
    while (this.waiting.size > 0 && this.mayLeave()) void this.runBatch(this.take());
    if (this.underWay === 0) this.drained();
  }

  private mayLeave(): boolean {
    if (this.underWay === 0) return true;
    return this.underWay < MOST_UNDER_WAY && this.waiting.size >= this.largestBatch();
  }

  private take(): WaitingItem<In, Out>[] {
    const most = this.largestBatch();
    const batch: WaitingItem<In, Out>[] = [];
    for (const entry of this.waiting) {
      if (batch.length === most) break;
      this.waiting.delete(entry);
      batch.push(entry);
    }
    return batch;
  }

  /** Before anything was measured, a single item tells how long one takes. */
  private largestBatch(): number {
    const { maximumBatch, longestBatchMilliseconds } = this.options;
    if (longestBatchMilliseconds === undefined) return maximumBatch;
    const timely = Math.floor(longestBatchMilliseconds / (this.room.pace ?? longestBatchMilliseconds));
    return Math.max(1, Math.min(maximumBatch, timely));
  }

  private async runBatch(batch: readonly WaitingItem<In, Out>[]): Promise<void> {
    const leftAt = performance.now();
    if (this.underWay++ > 0) this.ready = batch.length;
    else this.busySince = leftAt;
    this.itemsUnderWay += batch.length;
    const outcome = await this.compute(batch);
    const end = performance.now();
    // A batch that lay ready was begun when the one before it was done. Where both were computed beside each other, this
    // is the time that the second took of the device, which is what the pace is about.
    const begin = Math.max(leftAt, this.busySince);
    this.busySince = end;
    this.ready = 0;
    this.underWay--;
    this.itemsUnderWay -= batch.length;
    if (outcome.kind === "values") this.room.measured(batch.length, end - begin);
    // The device first: what the results lead to takes this thread a while.
    this.send();
    const runMilliseconds = end - begin;
    for (const [index, { arrivedAt, resolve, reject }] of batch.entries()) {
      if (outcome.kind === "failed") reject(outcome.error);
      else {
        const value = outcome.values[index];
        const result = {
          value,
          queueMilliseconds: begin - arrivedAt,
          runMilliseconds,
          batchSize: batch.length,
        };
        // Each leads to an answer being made and sent.
        this.turns.enter(() => resolve(result));
      }
    }
  }

  private async compute(
    batch: readonly WaitingItem<In, Out>[],
  ): Promise<{ kind: "values"; values: readonly Out[] } | { kind: "failed"; error: unknown }> {
    try {
      const values = await inBatchSpan(batch, () => this.options.run(batch.map(({ item }) => item)));
      return { kind: "values", values };
    } catch (error) {
      return { kind: "failed", error };
    }
  }
}

function linkHere(): Link | undefined {
  const span = trace.getActiveSpan();
  return span && { context: span.spanContext() };
}

/** A batch belongs to no single request: it is a trace of its own, which is linked to those of all. */
function inBatchSpan<Value>(
  batch: readonly { readonly link: Link | undefined }[],
  run: () => Promise<Value>,
): Promise<Value> {
  const links = batch.flatMap(({ link }) => link ?? []);
  if (links.length === 0) return run();
  const attributes = { "antidote.batch.size": batch.length };
  return tracer.startActiveSpan("batch", { root: true, links, attributes }, (span) =>
    run().finally(() => span.end()),
  );
}
