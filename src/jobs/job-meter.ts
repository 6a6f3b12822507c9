import type { AppError } from "../errors.ts";

/** Counts the time that jobs take, and says when a tenant's jobs may have no more of it. */
export interface JobMeter {
  /** Counts seconds, none too, and answers why the tenant's jobs have to stop, if they have to. */
  charge(tenant: string, seconds: number): Promise<AppError | undefined>;
}

interface JobTimerOptions {
  readonly meter: JobMeter;
  /** How often a job is charged. */
  readonly meterMilliseconds: number;
  /** How long a job that may have no more time is waited for to come to a checkpoint. */
  readonly checkpointMilliseconds: number;
}

interface JobTimerListener {
  /** The job may have no more time, and now is the moment to stop it. */
  onStop(): void;
  onError(error: unknown): void;
}

/** Charges a job for the time that it runs, while it runs; one that may have no more is stopped at its next checkpoint. */
export class JobTimer {
  /** Why the job may have no more time. */
  spent: AppError | undefined;
  private readonly timer: NodeJS.Timeout;
  private patience: NodeJS.Timeout | undefined;
  private last = performance.now();
  private charging: Promise<void> = Promise.resolve();

  constructor(
    private readonly options: JobTimerOptions,
    private readonly tenant: string,
    private readonly listener: JobTimerListener,
  ) {
    this.timer = setInterval(() => this.tick(), options.meterMilliseconds).unref();
  }

  /** The job has just saved where it is. */
  checkpoint(): void {
    if (this.spent) this.listener.onStop();
  }

  /** Charges the rest. */
  async end(): Promise<void> {
    clearInterval(this.timer);
    this.tick();
    await this.charging;
    clearTimeout(this.patience);
  }

  private tick(): void {
    const now = performance.now();
    const seconds = (now - this.last) / 1000;
    this.last = now;
    this.charging = this.charging
      .then(() => this.charge(seconds))
      .catch((error) => this.listener.onError(error));
  }

  private async charge(seconds: number): Promise<void> {
    const reason = await this.options.meter.charge(this.tenant, seconds);
    if (!reason || this.spent) return;
    this.spent = reason;
    this.patience = setTimeout(() => this.listener.onStop(), this.options.checkpointMilliseconds);
  }
}
