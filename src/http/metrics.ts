import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** What Prometheus reads. No label names a tenant. */
export class Metrics {
  readonly registry = new Registry();

  readonly operations = new Histogram({
    name: "antidote_operation_seconds",
    help: "Time of GraphQL operations, by type and outcome.",
    labelNames: ["type", "outcome"] as const,
    buckets: [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers: [this.registry],
  });

  readonly images = new Counter({
    name: "antidote_images_total",
    help: "Images classified, by outcome.",
    labelNames: ["outcome"] as const,
    registers: [this.registry],
  });

  readonly sockets = new Gauge({
    name: "antidote_websockets",
    help: "Open WebSocket connections.",
    registers: [this.registry],
  });

  /** @param countJobs how many jobs wait and run, asked at every reading. */
  constructor(countJobs: () => Promise<Readonly<Record<string, number>>>) {
    collectDefaultMetrics({ register: this.registry });
    new Gauge({
      name: "antidote_jobs",
      help: "Jobs that are not finished: waiting and running.",
      labelNames: ["state"] as const,
      registers: [this.registry],
      async collect() {
        // A queue that cannot be asked has no number; everything else is still told.
        this.reset();
        for (const [state, count] of Object.entries(await countJobs().catch(() => ({}))))
          this.set({ state }, count);
      },
    });
  }
}
