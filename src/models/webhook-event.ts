import { registerEnumType } from "type-graphql";
import type { WebhookEvent as EventName } from "../services/webhooks/records.ts";

/** Names cannot hold a dot in GraphQL; the values are the names that receivers see. */
export const WebhookEvent = {
  JOB_SUCCEEDED: "job.succeeded",
  JOB_FAILED: "job.failed",
  JOB_CANCELLED: "job.cancelled",
  ALIAS_MOVED: "alias.moved",
  ALIAS_GATE_FAILED: "alias.gate-failed",
  ALIAS_ROLLED_BACK: "alias.rolled-back",
} as const satisfies Record<string, EventName>;

registerEnumType(WebhookEvent, { name: "WebhookEvent", description: "What a webhook can be told of." });
