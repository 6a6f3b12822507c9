import { randomBytes } from "node:crypto";
import { AppError } from "../../errors.ts";
import type { Entry, Store } from "../../store/store.ts";
import { isName } from "../names.ts";
import { notFound } from "../not-found.ts";
import { pruneLogs } from "../retention.ts";
import { deliveryOf } from "./events.ts";
import type { WebhookPost } from "./post.ts";
import {
  DELIVERIES,
  type DeliveryRecord,
  deliveryPrefix,
  TEST_EVENT,
  type WebhookEvent,
  type WebhookRecord,
  webhookKey,
} from "./records.ts";
import { checkWebhookSecret, newWebhookSecret } from "./signature.ts";

const MOST_WEBHOOKS = 20;
const DELETED_AT_ONCE = 500;
/** Of a webhook's newest deliveries, so many may be tests that are not sent yet. */
const MOST_TESTS = 10;
/** Enough for as many tests at once as may wait: of those that meet, one is written at a time. */
const MOST_TRIES = 2 * MOST_TESTS;
const NEWEST = 100;
const KEPT_MILLISECONDS = 30 * 24 * 3600 * 1000;

export interface DeliveryPage {
  readonly deliveries: readonly DeliveryRecord[];
  readonly hasMore: boolean;
}

/** A tenant's webhooks and the log of what was sent to them. */
export class Webhooks {
  constructor(
    private readonly store: Store,
    private readonly tenant: string,
    private readonly post: WebhookPost,
    private readonly now: () => Date = () => new Date(),
  ) {}

  async list(): Promise<WebhookRecord[]> {
    const entries = await this.store.list<WebhookRecord>(webhookKey(this.tenant, ""));
    return entries.map(({ value }) => value);
  }

  async find(id: string): Promise<WebhookRecord | undefined> {
    return (await this.entry(id))?.value;
  }

  /** Fails with VALIDATION_FAILED for a URL to which nothing may be sent, and with QUOTA_EXCEEDED past 20 webhooks. */
  async create(
    url: string,
    events: readonly WebhookEvent[],
    secret: string | undefined,
  ): Promise<WebhookRecord> {
    await this.post.admit(url);
    if (events.length === 0)
      throw new AppError("VALIDATION_FAILED", "Name at least one event.", { path: ["events"] });
    if ((await this.list()).length >= MOST_WEBHOOKS)
      throw new AppError("QUOTA_EXCEEDED", `A tenant has at most ${MOST_WEBHOOKS} webhooks.`, {
        limit: MOST_WEBHOOKS,
      });
    const record: WebhookRecord = {
      id: randomBytes(8).toString("hex"),
      url,
      events: [...new Set(events)],
      secret: secret === undefined ? newWebhookSecret() : checkWebhookSecret(secret),
      createdAt: this.now().toISOString(),
      failures: 0,
    };
    await this.store.commit([{ kind: "put", key: webhookKey(this.tenant, record.id), value: record }]);
    return record;
  }

  /** With its log; what is still on its way is not sent any more. */
  async remove(id: string): Promise<WebhookRecord> {
    const { value: record } = await this.require(id);
    await this.store.commit([{ kind: "delete", key: webhookKey(this.tenant, id) }]);
    for (;;) {
      const prefix = deliveryPrefix(this.tenant, id);
      const deliveries = await this.store.list(prefix, { limit: DELETED_AT_ONCE });
      if (deliveries.length === 0) return record;
      await this.store.commit(deliveries.map(({ key }) => ({ kind: "delete", key })));
    }
  }

  /** Sends to it again, what happens from now on, after too many failures disabled it. */
  async enable(id: string): Promise<WebhookRecord> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const { key, value: current, revision } = await this.require(id);
      const { disabledAt: _at, disabledReason: _reason, ...record } = current;
      const value: WebhookRecord = { ...record, failures: 0 };
      if (await this.store.commit([{ kind: "put", key, value, expected: revision }])) return value;
    }
    throw keptChanging();
  }

  /** Sends an event of no meaning, once. Fails with OVERLOADED while ten others wait to be sent. */
  async test(id: string): Promise<DeliveryRecord> {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const { key, value, revision } = await this.require(id);
      if (value.disabledAt !== undefined)
        throw new AppError("VALIDATION_FAILED", "The webhook is disabled. Enable it first.", {
          path: ["id"],
        });
      await this.assertFewTests(id);
      const { delivery, writes } = deliveryOf(this.tenant, id, TEST_EVENT, {}, this.now());
      // Written as it is: of two tests at the same time one sees the other, and none is left of a deleted webhook.
      if (await this.store.commit([{ kind: "put", key, value, expected: revision }, ...writes]))
        return delivery;
    }
    throw keptChanging();
  }

  /** Newest first, beginning with those older than `before`. */
  async deliveries(id: string, first: number, before?: string): Promise<DeliveryPage> {
    const prefix = deliveryPrefix(this.tenant, id);
    const after = before === undefined ? undefined : prefix + before;
    const entries = await this.store.list<DeliveryRecord>(prefix, { reverse: true, limit: first + 1, after });
    return {
      deliveries: entries.slice(0, first).map(({ value }) => value),
      hasMore: entries.length > first,
    };
  }

  private async assertFewTests(id: string): Promise<void> {
    const prefix = deliveryPrefix(this.tenant, id);
    const newest = await this.store.list<DeliveryRecord>(prefix, { reverse: true, limit: NEWEST });
    const waiting = newest.filter(({ value }) => value.event === TEST_EVENT && value.status === "PENDING");
    if (waiting.length < MOST_TESTS) return;
    const message = `${MOST_TESTS} tests of the webhook wait to be sent. Try again when they are.`;
    throw new AppError("OVERLOADED", message, { retryAfterMs: 10_000 });
  }

  private async entry(id: string): Promise<Entry<WebhookRecord> | undefined> {
    return isName(id) ? this.store.get<WebhookRecord>(webhookKey(this.tenant, id)) : undefined;
  }

  private async require(id: string): Promise<Entry<WebhookRecord>> {
    const entry = await this.entry(id);
    if (!entry) throw notFound("webhook", id);
    return entry;
  }
}

const keptChanging = (): AppError =>
  new AppError("OVERLOADED", "The webhook kept changing. Try again.", { retryAfterMs: 1000 });

/** Of all tenants; what was sent is known for 30 days. */
export async function pruneDeliveries(store: Store, now: Date): Promise<void> {
  const oldest = new Date(now.getTime() - KEPT_MILLISECONDS).toISOString();
  await pruneLogs<DeliveryRecord>(store, DELIVERIES, ({ createdAt }) => createdAt < oldest);
}
