import type { Progress } from "../../engine/cbpt/progress.ts";
import type { JobContext } from "../job.ts";

/** Turns where a run stands into step reports, with speed and time left. */
export class Clock {
  private readonly began = performance.now();
  private last = this.began;
  private first: number | undefined;

  constructor(private readonly context: JobContext) {}

  /** Seconds since the handler began; a resumed run counts from its resumption. */
  get seconds(): number {
    return (performance.now() - this.began) / 1000;
  }

  /** Tells that one step of `images` images is over and where the run stands now. */
  report({ fraction, images, ...place }: Progress): void {
    const now = performance.now();
    this.first ??= fraction;
    const gained = fraction - this.first;
    this.context.report({
      kind: "step",
      ...place,
      imagesPerSecond: (1000 * images) / Math.max(1, now - this.last),
      progress: Math.min(1, fraction),
      etaSeconds: gained > 0 ? (this.seconds * (1 - fraction)) / gained : 0,
    });
    this.last = now;
  }
}

/** Saves at once where a step ends an epoch, else when the last time is long enough ago. */
export class Saver {
  private last = performance.now();

  constructor(
    private readonly context: JobContext,
    private readonly interval = INTERVAL_MILLISECONDS,
  ) {}

  async save(encode: () => Uint8Array, urgent: boolean): Promise<void> {
    if (!urgent && performance.now() - this.last < this.interval) return;
    await this.context.save(encode());
    this.last = performance.now();
  }
}

const INTERVAL_MILLISECONDS = 3000;
