import type { JobRecord, JobStatus } from "../../jobs/job.ts";
import type { Store, Write } from "../../store/store.ts";
import { globalId } from "../global-id.ts";
import { eventWrites } from "./events.ts";
import type { WebhookEvent } from "./records.ts";

const EVENTS: Partial<Record<JobStatus, WebhookEvent>> = {
  SUCCEEDED: "job.succeeded",
  FAILED: "job.failed",
  CANCELLED: "job.cancelled",
};

/** Tells webhooks of a job's end, in the commit that ends it. */
export const jobEndWrites =
  (store: Store) =>
  async ({ id, tenant, kind, status, createdAt, finishedAt, failure }: JobRecord): Promise<Write[]> => {
    const event = EVENTS[status];
    if (!event) return [];
    const { code, message, retryable } = failure ?? {};
    return eventWrites(store, tenant, event, {
      jobId: globalId("job", id),
      kind,
      status,
      createdAt,
      finishedAt,
      ...(status === "FAILED" ? { failure: { code, message, retryable } } : {}),
    });
  };
