import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ImageAnswer } from "../services/classification.ts";
import { RESOURCES } from "../services/quotas/quota.ts";
import type { AttemptOutcome } from "../services/webhooks/deliverer.ts";
import { registerEventLoopDelay } from "./event-loop-delay.ts";

/** What a sweep does to a blob. */
const SWEEP_STEPS = ["aside", "returned", "removed"] as const;
type SweepStep = (typeof SWEEP_STEPS)[number];

/** What answers an image that may bear a trigger. */
const RECOVERED_BY = ["view", "prompts"] as const;

const OUTCOMES: readonly AttemptOutcome[] = ["delivered", "retried", "failed"];

/** What brings an operation: one request with one answer, a connection that many share, or a stream of events. */
export type Transport = "http" | "websocket" | "sse";

/** What is counted where it lies, asked at every reading. */
export interface Counts {
  /** Jobs that wait and run, by state. */
  jobs(): Promise<Readonly<Record<string, number>>>;
  /** Images that wait, by what for. */
  images(): Promise<Readonly<Record<string, number>>>;
  /** Deliveries of webhooks that are still to be made. */
  deliveries(): number;
  /** Whoever follows events at this moment, by what of. */
  eventStreams(): Promise<Readonly<Record<string, number>>>;
}

/** What Prometheus reads. No label names a tenant. */
export class Metrics {
  readonly registry = new Registry();

  readonly operations = new Histogram({
    name: "antidote_operation_seconds",
    help: "Time of GraphQL operations until they are answered, of subscriptions until they are open, by what brought them, type and outcome.",
    labelNames: ["transport", "type", "outcome"] as const,
    buckets: [0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30],
    registers: [this.registry],
  });

  readonly images = new Counter({
    name: "antidote_images_total",
    help: "Images classified, by outcome.",
    labelNames: ["outcome"] as const,
    registers: [this.registry],
  });

  readonly recovered = new Counter({
    name: "antidote_recovered_images_total",
    help: "Images that were not answered as the purified prompts saw them at one look, by what answered them: a view at a second look, or the recovery prompts.",
    labelNames: ["by"] as const,
    registers: [this.registry],
  });

  readonly embeddings = new Counter({
    name: "antidote_embeddings_total",
    help: "Embeddings that classified images were scored by: computed by a model, or known from the cache.",
    labelNames: ["source"] as const,
    registers: [this.registry],
  });

  /** Its sum is smaller than the images classified by what was shared or known. */
  readonly batches = new Histogram({
    name: "antidote_batch_images",
    help: "Images that went through a model together.",
    buckets: [1, 2, 4, 8, 16, 32, 64],
    registers: [this.registry],
  });

  readonly refusals = new Counter({
    name: "antidote_quota_refusals_total",
    help: "What was refused because a tenant's quota does not hold it, by quota.",
    labelNames: ["quota"] as const,
    registers: [this.registry],
  });

  readonly deliveries = new Counter({
    name: "antidote_webhook_attempts_total",
    help: "Attempts at webhooks' deliveries, by outcome: delivered, retried later, or failed for good.",
    labelNames: ["outcome"] as const,
    registers: [this.registry],
  });

  readonly blobBytes = new Counter({
    name: "antidote_blob_bytes_total",
    help: "Bytes of images and tensors that no record names, as this server swept them: set aside, returned because they were needed after all, removed for good.",
    labelNames: ["step"] as const,
    registers: [this.registry],
  });

  readonly sockets = new Gauge({
    name: "antidote_websockets",
    help: "Open WebSocket connections.",
    registers: [this.registry],
  });

  readonly subscriptions = new Gauge({
    name: "antidote_subscriptions",
    help: "Open subscriptions, over WebSocket and server-sent events.",
    registers: [this.registry],
  });

  constructor(counts: Counts) {
    collectDefaultMetrics({ register: this.registry });
    // What has not happened yet is told as none, so that its first time is seen as a rise.
    for (const quota of RESOURCES) this.refusals.inc({ quota }, 0);
    for (const outcome of OUTCOMES) this.deliveries.inc({ outcome }, 0);
    for (const step of SWEEP_STEPS) this.blobBytes.inc({ step }, 0);
    for (const by of RECOVERED_BY) this.recovered.inc({ by }, 0);
    new Gauge({
      name: "antidote_webhook_deliveries_pending",
      help: "Deliveries of webhooks that are to be made, of all servers; counted up to 500.",
      registers: [this.registry],
      collect() {
        this.set(counts.deliveries());
      },
    });
    registerEventLoopDelay(this.registry);
    this.countAtReading("antidote_jobs", "Jobs that are not finished: waiting and running.", "state", () =>
      // A queue that cannot be asked has no number; everything else is still told.
      counts.jobs().catch(() => ({})),
    );
    this.countAtReading(
      "antidote_event_streams",
      "Streams of events that are open.",
      "of",
      counts.eventStreams,
    );
    this.countAtReading("antidote_waiting_images", "Images that wait, by stage.", "stage", counts.images);
  }

  /** Takes an operation's time from now until the function that it answers is called, which tells the seconds. */
  timeOperation(transport: Transport): (type: string | undefined, failed: boolean) => number {
    const end = this.operations.startTimer({ transport });
    return (type = "none", failed) => end({ type, outcome: failed ? "error" : "ok" });
  }

  /** Counts what became of classified images. */
  countImages(answers: readonly ImageAnswer[]): void {
    for (const answer of answers) {
      this.images.inc({ outcome: answer.kind });
      if (answer.kind === "rejected") continue;
      this.embeddings.inc({ source: answer.cached ? "cache" : "model" });
      if (answer.recovered || answer.view) this.recovered.inc({ by: answer.view ? "view" : "prompts" });
    }
  }

  /** Counts what a sweep of the blobs has moved. */
  countSwept(bytes: Readonly<Record<SweepStep, { readonly bytes: number }>>): void {
    for (const step of SWEEP_STEPS) this.blobBytes.inc({ step }, bytes[step].bytes);
  }

  private countAtReading<Label extends string>(
    name: string,
    help: string,
    label: Label,
    count: () => Promise<Readonly<Record<string, number>>>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.registry],
      async collect() {
        this.reset();
        for (const [value, number] of Object.entries(await count()))
          this.set({ [label]: value } as Record<Label, string>, number);
      },
    });
  }
}
