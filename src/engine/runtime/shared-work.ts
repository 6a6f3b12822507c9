import { abortable } from "./abortable.ts";

interface UnderWay<Result> {
  readonly result: Promise<Result>;
  readonly abandon: AbortController;
  waiting: number;
}

const ABANDONED = new Error("Nobody waits for it any more.");

/**
 * Work that several ask for at the same time is done once: whoever asks under a key that is under way waits for the
 * same result. It is cancelled when the last of them has gone, and forgotten when it is done.
 */
export class SharedWork<Result> {
  private readonly underWay = new Map<string, UnderWay<Result>>();

  /**
   * The result of `start`, which is called unless work under that key is under way. The caller's signal ends its own
   * waiting, with the signal's reason; the one that `start` is given aborts when nobody waits any more.
   */
  async join(
    key: string,
    start: (signal: AbortSignal) => Promise<Result>,
    signal?: AbortSignal,
  ): Promise<Result> {
    signal?.throwIfAborted();
    const work = this.underWay.get(key) ?? this.begin(key, start);
    work.waiting++;
    try {
      return await abortable(work.result, signal);
    } finally {
      work.waiting--;
      if (work.waiting === 0) this.leave(key, work);
    }
  }

  has(key: string): boolean {
    return this.underWay.has(key);
  }

  private begin(key: string, start: (signal: AbortSignal) => Promise<Result>): UnderWay<Result> {
    const abandon = new AbortController();
    const work = { result: start(abandon.signal), abandon, waiting: 0 };
    this.underWay.set(key, work);
    const done = () => {
      if (this.underWay.get(key) === work) this.underWay.delete(key);
    };
    work.result.then(done, done);
    return work;
  }

  /** Whoever asks from now on begins anew. Work that is done does not notice. */
  private leave(key: string, work: UnderWay<Result>): void {
    if (this.underWay.get(key) === work) this.underWay.delete(key);
    work.abandon.abort(ABANDONED);
  }
}
