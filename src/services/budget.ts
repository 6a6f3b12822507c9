import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { AppError } from "../errors.ts";

const SECONDS = 60;

/** Cost units of each tenant: `limit` of them a minute. */
export class CostBudget {
  private readonly limiter: RateLimiterMemory;

  constructor(readonly limit: number) {
    this.limiter = new RateLimiterMemory({ points: limit, duration: SECONDS });
  }

  /** Fails with THROTTLED, and how long to wait, once a tenant has spent its units. */
  async spend(tenant: string, cost: number): Promise<void> {
    try {
      await this.limiter.consume(tenant, cost);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      throw new AppError("THROTTLED", `The tenant has spent its ${this.limit} cost units of this minute.`, {
        retryAfterMs: error.msBeforeNext,
      });
    }
  }

  async remaining(tenant: string): Promise<number> {
    const spent = await this.limiter.get(tenant);
    return spent === null ? this.limit : Math.max(0, spent.remainingPoints);
  }

  get restorePerSecond(): number {
    return this.limit / SECONDS;
  }
}
