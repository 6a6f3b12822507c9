/** What a webhook can ask to be told. */
export const WEBHOOK_EVENTS = [
  "job.succeeded",
  "job.failed",
  "job.cancelled",
  "alias.moved",
  "alias.gate-failed",
  "alias.rolled-back",
] as const;

export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** What `testWebhook` sends; nobody asks for it. */
export const TEST_EVENT = "webhook.test";

/** As stored under `tenants/<tenant>/webhooks/<id>`. */
export interface WebhookRecord {
  readonly id: string;
  readonly url: string;
  readonly events: readonly WebhookEvent[];
  /** `whsec_<base64>`: needed to sign, so it is kept as it is and never shown again. */
  readonly secret: string;
  readonly createdAt: string;
  /** Attempts that failed since the last that succeeded. */
  readonly failures: number;
  /** Since then nothing is sent. */
  readonly disabledAt?: string;
  readonly disabledReason?: string;
}

export type DeliveryStatus = "PENDING" | "DELIVERED" | "FAILED";

/** One event on its way to one webhook, as stored under `webhooks/deliveries/<tenant>/<webhook>/<id>`; ids sort by time. */
export interface DeliveryRecord {
  readonly id: string;
  readonly webhookId: string;
  readonly event: WebhookEvent | typeof TEST_EVENT;
  /** The JSON that is sent, byte for byte. */
  readonly body: string;
  readonly createdAt: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly lastAttemptAt?: string;
  /** The HTTP status of the last attempt that was answered. */
  readonly lastStatus?: number;
  readonly lastError?: string;
  readonly nextAttemptAt?: string;
}

/** A delivery that is to be attempted, as stored under `webhooks/due/<time>/<id>`. */
export interface DueDelivery {
  readonly tenant: string;
  readonly webhookId: string;
  readonly id: string;
}

export const DELIVERIES = "webhooks/deliveries/";
/** Sorted by time, so the first are the next. */
export const DUE = "webhooks/due/";

export const webhookKey = (tenant: string, id: string): string => `tenants/${tenant}/webhooks/${id}`;
export const deliveryPrefix = (tenant: string, webhookId: string): string =>
  `${DELIVERIES}${tenant}/${webhookId}/`;
export const deliveryKey = ({ tenant, webhookId, id }: DueDelivery): string =>
  deliveryPrefix(tenant, webhookId) + id;
export const dueKey = (at: string, id: string): string => `${DUE}${at}/${id}`;
