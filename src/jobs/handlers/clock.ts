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
      etaSeconds: fraction >= 1 ? 0 : gained > 0 ? (this.seconds * (1 - fraction)) / gained : undefined,
    });
    this.last = now;
  }
}

/** Saves at once where that is urgent, else when the last time is long enough ago. */
export class Saver {
  private last = performance.now();

  constructor(
    private readonly context: JobContext,
    private readonly interval = INTERVAL_MILLISECONDS,
  ) {}

  /** Whether the last save, or at first the beginning, is long enough ago. */
  get isDue(): boolean {
    return performance.now() - this.last >= this.interval;
  }

  async save(encode: () => Uint8Array, urgent: boolean): Promise<void> {
    if (!urgent && !this.isDue) return;
    await this.context.save(encode());
    this.last = performance.now();
  }
}

const INTERVAL_MILLISECONDS = 3000;

/**
 * Of many epochs so many are told and saved however fast they are, spread evenly, the first state and the last among
 * them; the others only where a save is due, because a short epoch takes no longer than its telling does.
 */
const TOLD_EPOCHS = 50;

/** The state of a defence may be three times the model's size, so it is saved seldom. */
export const DEFENCE_SAVE_MILLISECONDS = 20_000;

/** How often a defence saves in so many seconds. */
export const savesWithin = (seconds: number): number =>
  Math.floor((1000 * seconds) / DEFENCE_SAVE_MILLISECONDS);

/** Whether an epoch, counted from 1, is told however short it was; 0 is the state that tuning begins with. */
export const isToldEpoch = (epoch: number, epochs: number): boolean =>
  epoch % Math.ceil(epochs / TOLD_EPOCHS) === 0 || epoch === epochs;

/** How many of the epochs are told when they take so many seconds together, at most. */
export const epochsTold = (epochs: number, seconds: number): number =>
  Math.min(epochs, TOLD_EPOCHS + Math.floor((1000 * seconds) / INTERVAL_MILLISECONDS));
