import { Counter, Histogram, type Registry } from "prom-client";
import type { JobRecord, JobReport } from "../jobs/job.ts";
import type { JobObserver } from "../jobs/observer.ts";

/** What Prometheus reads of the jobs that run in this process. No label names a tenant. */
export class JobMetrics implements JobObserver {
  private readonly epochs: Counter<"kind">;
  private readonly seconds: Histogram<"kind" | "outcome">;

  constructor(registry: Registry) {
    this.epochs = new Counter({
      name: "antidote_job_epochs_total",
      help: "Epochs that jobs have ended here, by kind of job.",
      labelNames: ["kind"],
      registers: [registry],
    });
    this.seconds = new Histogram({
      name: "antidote_job_seconds",
      help: "Time of the attempts at which jobs came to an end here, by kind and outcome; a purification's is kind purify.",
      labelNames: ["kind", "outcome"],
      buckets: [1, 5, 15, 30, 60, 120, 300, 900, 1800, 3600, 4 * 3600, 12 * 3600],
      registers: [registry],
    });
  }

  reported({ kind }: JobRecord, report: JobReport): void {
    if (report.kind === "checkpoint") this.epochs.inc({ kind });
  }

  ended({ kind, status }: JobRecord, seconds: number): void {
    this.seconds.observe({ kind, outcome: status.toLowerCase() }, seconds);
  }
}
