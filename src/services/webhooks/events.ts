import { nextIdentifier } from "../../jobs/identifier.ts";
import type { Store, Write } from "../../store/store.ts";
import {
  type DeliveryRecord,
  type DueDelivery,
  deliveryKey,
  dueKey,
  type TEST_EVENT,
  type WebhookEvent,
  type WebhookRecord,
  webhookKey,
} from "./records.ts";

/** Facts of an event: plain data, with global ids. */
export type EventData = Readonly<Record<string, unknown>>;

/**
 * What is written so that a tenant's webhooks are told of an event: none where nobody asks for it. To be committed
 * together with the fact itself, so that either both are there or neither.
 */
export async function eventWrites(
  store: Store,
  tenant: string,
  event: WebhookEvent,
  data: EventData,
  now = new Date(),
): Promise<Write[]> {
  const webhooks = await store.list<WebhookRecord>(webhookKey(tenant, ""));
  return webhooks
    .map(({ value }) => value)
    .filter(({ events, disabledAt }) => disabledAt === undefined && events.includes(event))
    .flatMap(({ id }) => deliveryOf(tenant, id, event, data, now).writes);
}

/** A new delivery, due at once. */
export function deliveryOf(
  tenant: string,
  webhookId: string,
  event: WebhookEvent | typeof TEST_EVENT,
  data: EventData,
  now: Date,
): { delivery: DeliveryRecord; writes: Write[] } {
  const id = nextIdentifier(now);
  const createdAt = now.toISOString();
  const body = JSON.stringify({ type: event, timestamp: createdAt, data: { tenant, ...data } });
  const delivery: DeliveryRecord = {
    id,
    webhookId,
    event,
    body,
    createdAt,
    status: "PENDING",
    attempts: 0,
    nextAttemptAt: createdAt,
  };
  const due: DueDelivery = { tenant, webhookId, id };
  return {
    delivery,
    writes: [
      { kind: "put", key: deliveryKey(due), value: delivery },
      { kind: "put", key: dueKey(createdAt, id), value: due },
    ],
  };
}
