/** Where a failed chore is told; pino's loggers fit. */
interface ChoreLogger {
  warn(facts: object, message: string): void;
}

const HOUR_MILLISECONDS = 3_600_000;

/** What is to be done now and then: at the start and every hour. Chores bear being done by several servers at once. */
export class Housekeeping {
  private readonly timer: NodeJS.Timeout;
  private doing: Promise<void>;
  private closed = false;

  constructor(
    private readonly chores: Readonly<Record<string, () => Promise<unknown>>>,
    private readonly logger: ChoreLogger,
    everyMilliseconds = HOUR_MILLISECONDS,
  ) {
    this.doing = this.round();
    this.timer = setInterval(() => {
      this.doing = this.doing.then(() => this.round());
    }, everyMilliseconds).unref();
  }

  /** Begins no more, and resolves when what was begun is done. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    await this.doing;
  }

  private async round(): Promise<void> {
    for (const [chore, perform] of Object.entries(this.chores)) {
      if (this.closed) return;
      try {
        await perform();
      } catch (error) {
        this.logger.warn({ chore, reason: String(error) }, "a chore is left to the next hour");
      }
    }
  }
}
