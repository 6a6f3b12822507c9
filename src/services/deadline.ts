import { setMaxListeners } from "node:events";
import { AppError } from "../errors.ts";

/** An hour; who can wait longer needs no deadline. */
const LONGEST_MILLISECONDS = 3_600_000;

/** Of the time that there is, so much may go by before what can be left out is left out. */
const LEISURE = 0.8;

/** Nobody sees it, so one without a stack is enough. */
const ENDED = new Error("The request has ended.");

/**
 * What a request's work listens to: aborts when the caller has gone, when the deadline passes (DEADLINE_EXCEEDED),
 * or when the request is at its end for whatever reason, so that nothing of it is done in vain.
 */
export class Deadline {
  private readonly controller = new AbortController();
  private readonly hurry = new AbortController();
  private readonly timers: readonly NodeJS.Timeout[] = [];

  /** Throws VALIDATION_FAILED for milliseconds that are no whole number from 1 to an hour's. */
  constructor(
    milliseconds: number | undefined,
    private readonly gone: AbortSignal | undefined,
  ) {
    // Every image of the request listens for it.
    setMaxListeners(0, this.controller.signal, this.leisure);
    if (gone?.aborted) this.leave();
    gone?.addEventListener("abort", this.leave, { once: true });
    if (milliseconds === undefined) return;
    check(milliseconds);
    const exceeded = `The answer was not there within ${milliseconds} ms; what had not begun was given up.`;
    const error = new AppError("DEADLINE_EXCEEDED", exceeded, { deadlineMs: milliseconds });
    this.timers = [
      setTimeout(() => this.hurry.abort(error), LEISURE * milliseconds),
      setTimeout(() => this.abort(error), milliseconds),
    ];
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Aborts a fifth of the time before the deadline, or with the rest: what the answer can do without is given up then. */
  get leisure(): AbortSignal {
    return this.hurry.signal;
  }

  /** Must be called when the request has its answer or has failed. */
  end(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.gone?.removeEventListener("abort", this.leave);
    this.abort(ENDED);
  }

  private leave = (): void => this.abort(this.gone?.reason);

  private abort(reason: unknown): void {
    this.hurry.abort(reason);
    this.controller.abort(reason);
  }
}

function check(milliseconds: number): void {
  if (Number.isInteger(milliseconds) && milliseconds >= 1 && milliseconds <= LONGEST_MILLISECONDS) return;
  throw new AppError(
    "VALIDATION_FAILED",
    `deadlineMs must be a whole number from 1 to ${LONGEST_MILLISECONDS}; it is ${milliseconds}.`,
    { deadlineMs: milliseconds },
  );
}
