import { setMaxListeners } from "node:events";
import { AppError } from "../errors.ts";

/** An hour; who can wait longer needs no deadline. */
const LONGEST_MILLISECONDS = 3_600_000;

/** Nobody sees it, so one without a stack is enough. */
const ENDED = new Error("The request has ended.");

/**
 * What a request's work listens to: aborts when the caller has gone, when the deadline passes (DEADLINE_EXCEEDED),
 * or when the request is at its end for whatever reason, so that nothing of it is done in vain.
 */
export class Deadline {
  private readonly controller = new AbortController();
  private readonly timer: NodeJS.Timeout | undefined;

  /** Throws VALIDATION_FAILED for milliseconds that are no whole number from 1 to an hour's. */
  constructor(
    milliseconds: number | undefined,
    private readonly gone: AbortSignal | undefined,
  ) {
    // Every image of the request listens for it.
    setMaxListeners(0, this.controller.signal);
    if (gone?.aborted) this.leave();
    gone?.addEventListener("abort", this.leave, { once: true });
    if (milliseconds === undefined) return;
    check(milliseconds);
    const exceeded = `The answer was not there within ${milliseconds} ms; what had not begun was given up.`;
    this.timer = setTimeout(
      () => this.controller.abort(new AppError("DEADLINE_EXCEEDED", exceeded, { deadlineMs: milliseconds })),
      milliseconds,
    );
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Must be called when the request has its answer or has failed. */
  end(): void {
    clearTimeout(this.timer);
    this.gone?.removeEventListener("abort", this.leave);
    this.controller.abort(ENDED);
  }

  private leave = (): void => this.controller.abort(this.gone?.reason);
}

function check(milliseconds: number): void {
  if (Number.isInteger(milliseconds) && milliseconds >= 1 && milliseconds <= LONGEST_MILLISECONDS) return;
  throw new AppError(
    "VALIDATION_FAILED",
    `deadlineMs must be a whole number from 1 to ${LONGEST_MILLISECONDS}; it is ${milliseconds}.`,
    { deadlineMs: milliseconds },
  );
}
