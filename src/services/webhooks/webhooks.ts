import { randomBytes } from "node:crypto";
import { AppError } from "../../errors.ts";
import type { Store } from "../../store/store.ts";
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
    return isName(id) ? (await this.store.get<WebhookRecord>(webhookKey(this.tenant, id)))?.value : undefined;
  }

  /** Fails with VALIDATION_FAILED for a URL to which nothing may be sent, and with QUOTA_EXCEEDED past 20 webhooks. */
  async create(
    url: string,
    events: readonly WebhookEvent[],
    secret: string | undefined,
  ): Promise<WebhookRecord> {
    this.post.check(url);
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
    const record = await this.require(id);
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
    const { disabledAt: _at, disabledReason: _reason, ...record } = await this.require(id);
    const value: WebhookRecord = { ...record, failures: 0 };
    await this.store.commit([{ kind: "put", key: webhookKey(this.tenant, id), value }]);
    return value;
  }

  /** Sends an event of no meaning, once. */
  async test(id: string): Promise<DeliveryRecord> {
    const { disabledAt } = await this.require(id);
    if (disabledAt !== undefined)
      throw new AppError("VALIDATION_FAILED", "The webhook is disabled. Enable it first.", { path: ["id"] });
    const { delivery, writes } = deliveryOf(this.tenant, id, TEST_EVENT, {}, this.now());
    await this.store.commit(writes);
    return delivery;
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

  private async require(id: string): Promise<WebhookRecord> {
    const record = await this.find(id);
    if (!record) throw notFound("webhook", id);
    return record;
  }
}

/** Of all tenants; what was sent is known for 30 days. */
export async function pruneDeliveries(store: Store, now: Date): Promise<void> {
  const oldest = new Date(now.getTime() - KEPT_MILLISECONDS).toISOString();
  await pruneLogs<DeliveryRecord>(store, DELIVERIES, ({ createdAt }) => createdAt < oldest);
}
