import type { JobReport } from "./job.ts";

/**
 * Passes reports on, but `step` reports at most once per interval: of those in between only the newest is kept, and
 * it is passed on before any other kind of report, so that the order stays. Nothing else is ever dropped.
 */
export class StepPacer {
  private pending: JobReport | undefined;
  private timer: NodeJS.Timeout | undefined;
  private lastStep = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly pass: (report: JobReport) => void,
    private readonly intervalMilliseconds: number,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  report(report: JobReport): void {
    if (report.kind !== "step") {
      this.flush();
      this.pass(report);
      return;
    }
    this.pending = report;
    const wait = this.lastStep + this.intervalMilliseconds - this.clock();
    if (wait <= 0) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), wait);
  }

  /** Passes on the step that is held back, if any. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.pending) return;
    const step = this.pending;
    this.pending = undefined;
    this.lastStep = this.clock();
    this.pass(step);
  }
}
