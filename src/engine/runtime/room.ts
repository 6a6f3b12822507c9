import { AppError } from "../../errors.ts";

export interface RoomBounds {
  /** Most items that may wait. */
  readonly capacity: number;
  /** How long an item may be expected to wait before work on it begins; for ever when absent. */
  readonly longestWaitMilliseconds?: number;
}

/** What a refused caller is told to wait before anything was measured. */
const FIRST_GUESS_MILLISECONDS = 1_000;
/** How much the newest measurement counts. */
const WEIGHT = 0.5;

/**
 * Whether a queue takes more: bounded in items, and in the time that they would wait at the pace of the work so far.
 * Only the second keeps answers timely for a slow model and lets a fast one take bursts.
 */
export class Room {
  private millisecondsEach: number | undefined;

  /** @param what names the items in the refusal: "images". */
  constructor(
    private readonly bounds: RoomBounds,
    private readonly what: string,
  ) {}

  /** Milliseconds of an item at the present pace; undefined until something was measured. */
  get pace(): number | undefined {
    return this.millisecondsEach;
  }

  /** Takes note that so many items, worked on together, took so long. */
  measured(items: number, milliseconds: number): void {
    const each = milliseconds / items;
    this.millisecondsEach = WEIGHT * each + (1 - WEIGHT) * (this.millisecondsEach ?? each);
  }

  /** Throws OVERLOADED, with `retryAfterMs`, when `count` items more may not wait beside the `waiting`. */
  assertSpace(waiting: number, count: number): void {
    if (waiting + count > this.bounds.capacity) this.refuse(waiting);
  }

  /**
   * The same, and when they would wait too long: to be asked once for a request, before its items wait. Only what is
   * ahead of it is timed, so a request that is large itself is not refused for it.
   *
   * @param underWay milliseconds that the work under way still takes, which all who wait also wait for.
   */
  assertTimely(waiting: number, count: number, underWay = 0): void {
    this.assertSpace(waiting, count);
    const { longestWaitMilliseconds = Number.POSITIVE_INFINITY } = this.bounds;
    if (waiting * (this.pace ?? 0) + underWay > longestWaitMilliseconds) this.refuse(waiting, underWay);
  }

  private refuse(waiting: number, underWay = 0): never {
    const reason =
      waiting > 0
        ? `${waiting} ${this.what} wait already`
        : `Those ${this.what} that are under way take long`;
    throw overloaded(reason, waiting * (this.pace ?? 0) + underWay);
  }
}

/** The refusal of what would wait for too long. */
export function overloaded(reason: string, milliseconds = 0): AppError {
  return new AppError("OVERLOADED", `${reason}. Send the request again later.`, {
    retryAfterMs: Math.ceil(milliseconds || FIRST_GUESS_MILLISECONDS),
  });
}
