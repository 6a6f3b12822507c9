/** Steps begun in one turn of the event loop: short ones, so that whatever else is due waits a few milliseconds. */
const STEPS_IN_A_TURN = 4;

/**
 * Spreads steps that come many at once over turns of the event loop. Timers, sockets and the answers of worker threads
 * are looked at between the turns; otherwise they would wait until all the steps are done, with all that follows from
 * each in promises. Steps are begun in the order in which they came, and at once when few come.
 */
export class Turns {
  private readonly waiting: (() => void)[] = [];
  /** In this turn. */
  private begun = 0;
  /** Whether some are to be begun in the next turn. */
  private spreads = false;
  private scheduled = false;

  /** Begins a step, now or in a later turn. It handles its own failures. */
  enter(step: () => void): void {
    const isNow = !this.spreads && this.waiting.length === 0 && this.begun < STEPS_IN_A_TURN;
    if (!isNow) this.waiting.push(step);
    this.schedule();
    if (!isNow) return;
    this.begun++;
    step();
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.begun = 0;
      const next = this.waiting.splice(0, STEPS_IN_A_TURN);
      this.spreads = next.length > 0;
      if (!this.spreads) return;
      // Each in a callback of its own, so that what follows from one in promises is done before the next begins.
      for (const step of next) setImmediate(step);
      this.schedule();
    });
  }
}
