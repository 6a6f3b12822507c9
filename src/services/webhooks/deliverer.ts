import type { Entry, Store, Write } from "../../store/store.ts";
import type { WebhookPost } from "./post.ts";
import {
  type DeliveryRecord,
  DUE,
  type DueDelivery,
  deliveryKey,
  dueKey,
  TEST_EVENT,
  type WebhookRecord,
  webhookKey,
} from "./records.ts";
import { signedHeaders } from "./signature.ts";

/** Where trouble with the store is told; pino's loggers fit. */
interface DelivererLogger {
  warn(facts: object, message: string): void;
}

interface WebhookDelivererOptions {
  readonly store: Store;
  readonly post: Pick<WebhookPost, "send">;
  readonly logger: DelivererLogger;
  readonly pollMilliseconds?: number;
  /** Whoever has taken a delivery and is not heard of for so long is taken for dead. Longer than any answer takes. */
  readonly leaseMilliseconds?: number;
  readonly now?: () => Date;
  /** From 0 up to 1. */
  readonly random?: () => number;
  /** Hears of what became of each attempt. */
  readonly onAttempt?: (outcome: AttemptOutcome) => void;
}

/** What an attempt came to: the delivery has arrived, is tried again, or is given up. */
export type AttemptOutcome = "delivered" | "retried" | "failed";

/** What one attempt was answered. */
type Answer = { readonly status: number } | { readonly error: string };

const POLL_MILLISECONDS = 1_000;
const LEASE_MILLISECONDS = 60_000;
const READ_AT_ONCE = 500;
/** So many times 500 entries are seen at one look; the next one goes on from there. */
const READS_A_LOOK = 10;
const AT_ONCE = 32;
/** Of one tenant's: its slow receivers leave places for others. */
const AT_ONCE_TENANT = 8;
const AT_ONCE_WEBHOOK = 4;
const MOST_ATTEMPTS = 8;
const FIRST_PAUSE_MILLISECONDS = 5_000;
const LONGEST_PAUSE_MILLISECONDS = 6 * 3600 * 1000;
/** So many attempts in a row failed, of whatever deliveries, and nothing more is sent. */
const MOST_FAILURES = 20;
const GONE = 410;

/**
 * Sends what is due, at least once each, from however many servers: a delivery is taken by moving it into the future
 * with compare-and-set, so one server has it at a time, and when that one dies it is due again after the lease. What
 * fails is tried again after 5 s, 20 s, 80 s and so on, each a quarter more or less at random.
 */
export class WebhookDeliverer {
  /** Deliveries that are due now or later, at the last look that began with the oldest; counted up to 500. */
  pending = 0;
  private readonly now: () => Date;
  /** Attempts under way, of each webhook and of each tenant. */
  private readonly busy = new Map<string, number>();
  private readonly attempts = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private polling: Promise<void> = Promise.resolve();
  private stopped = false;
  /** The last entry that was seen, where the look ended before all that is due was. */
  private seen: string | undefined;

  constructor(private readonly options: WebhookDelivererOptions) {
    this.now = options.now ?? (() => new Date());
  }

  start(): void {
    this.polling = this.poll().finally(() => {
      if (this.stopped) return;
      this.timer = setTimeout(() => this.start(), this.options.pollMilliseconds ?? POLL_MILLISECONDS).unref();
    });
  }

  /** Takes nothing more, and resolves when what was taken is answered. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.polling;
    await Promise.all(this.attempts);
  }

  private async poll(): Promise<void> {
    try {
      for (let reads = 0; reads < READS_A_LOOK; reads++) if (!(await this.takeSome())) return;
    } catch (error) {
      this.warn(error, "webhooks wait for the store");
    }
  }

  /**
   * Takes what has a place of the next 500 entries, and says whether there is a reason to read on. What waits for a busy
   * webhook is passed over, and the next look begins behind it: however much that is, what is due later has its turn.
   */
  private async takeSome(): Promise<boolean> {
    const due = await this.options.store.list<DueDelivery>(DUE, { limit: READ_AT_ONCE, after: this.seen });
    if (this.seen === undefined) this.pending = due.length;
    const latest = `${DUE}${this.now().toISOString()}~`;
    for (const entry of due) {
      if (this.stopped || this.attempts.size >= AT_ONCE) return false;
      if (entry.key > latest) return this.beginAnew();
      if (this.hasPlace(entry.value)) await this.take(entry);
      this.seen = entry.key;
    }
    return due.length === READ_AT_ONCE || this.beginAnew();
  }

  private beginAnew(): false {
    this.seen = undefined;
    return false;
  }

  private hasPlace(due: DueDelivery): boolean {
    const [webhook, tenant] = placesOf(due).map((place) => this.busy.get(place) ?? 0);
    return webhook < AT_ONCE_WEBHOOK && tenant < AT_ONCE_TENANT;
  }

  private async take({ key, revision, value: due }: Entry<DueDelivery>): Promise<void> {
    const until = this.now().getTime() + (this.options.leaseMilliseconds ?? LEASE_MILLISECONDS);
    const lease = dueKey(new Date(until).toISOString(), due.id);
    const taken = await this.options.store.commit([
      { kind: "delete", key, expected: revision },
      { kind: "put", key: lease, value: due },
    ]);
    if (!taken) return;
    this.count(due, 1);
    const attempt = this.attempt(due, lease)
      .catch((error) => this.warn(error, "a webhook's delivery is due again after its lease"))
      .finally(() => {
        this.count(due, -1);
        this.attempts.delete(attempt);
      });
    this.attempts.add(attempt);
  }

  private async attempt(due: DueDelivery, lease: string): Promise<void> {
    const { store } = this.options;
    const delivery = (await store.get<DeliveryRecord>(deliveryKey(due)))?.value;
    const webhook = await this.webhook(due);
    // Its webhook was deleted, or it is so old that it was pruned.
    if (!delivery || !webhook) return void (await store.commit([{ kind: "delete", key: lease }]));
    const answer =
      webhook.value.disabledAt === undefined ? await this.send(webhook.value, delivery) : undefined;
    for (;;) {
      const held = await store.get(lease);
      // Somebody else took it for dead, and goes on with it.
      if (!held) return;
      const current = await this.webhook(due);
      const { outcome, writes } = current
        ? this.settle(due, delivery, current, answer)
        : { outcome: undefined, writes: [] };
      if (!(await store.commit([{ kind: "delete", key: lease, expected: held.revision }, ...writes])))
        continue;
      if (outcome) this.options.onAttempt?.(outcome);
      return;
    }
  }

  private async send({ url, secret }: WebhookRecord, { id, body }: DeliveryRecord): Promise<Answer> {
    try {
      const headers = signedHeaders(secret, `msg_${id}`, this.now(), body);
      return { status: await this.options.post.send(url, headers, body) };
    } catch (error) {
      return { error: describe(error) };
    }
  }

  /** What an attempt's outcome writes; without an answer the webhook was disabled before it. */
  private settle(
    due: DueDelivery,
    delivery: DeliveryRecord,
    { key, value: webhook, revision }: Entry<WebhookRecord>,
    answer: Answer | undefined,
  ): { outcome: AttemptOutcome; writes: Write[] } {
    const now = this.now();
    const recorded = (change: Partial<DeliveryRecord>): Write => ({
      kind: "put",
      key: deliveryKey(due),
      value: { ...delivery, nextAttemptAt: undefined, ...change },
    });
    if (!answer)
      return {
        outcome: "failed",
        writes: [recorded({ status: "FAILED", lastError: "The webhook is disabled." })],
      };
    const attempts = delivery.attempts + 1;
    const last = { attempts, lastAttemptAt: now.toISOString(), lastStatus: undefined, lastError: undefined };
    const tried: Partial<DeliveryRecord> =
      "status" in answer ? { ...last, lastStatus: answer.status } : { ...last, lastError: answer.error };
    if ("status" in answer && answer.status >= 200 && answer.status < 300) {
      const recovered: Write = { kind: "put", key, value: { ...webhook, failures: 0 }, expected: revision };
      const writes = [
        recorded({ ...tried, status: "DELIVERED" }),
        ...(webhook.failures > 0 ? [recovered] : []),
      ];
      return { outcome: "delivered", writes };
    }
    const next = failed(webhook, answer, now);
    const counted: Write = { kind: "put", key, value: next, expected: revision };
    const most = delivery.event === TEST_EVENT ? 1 : MOST_ATTEMPTS;
    if (attempts >= most || next.disabledAt !== undefined)
      return { outcome: "failed", writes: [recorded({ ...tried, status: "FAILED" }), counted] };
    const nextAttemptAt = new Date(now.getTime() + this.pause(attempts)).toISOString();
    const again: Write = { kind: "put", key: dueKey(nextAttemptAt, due.id), value: due };
    return { outcome: "retried", writes: [recorded({ ...tried, nextAttemptAt }), counted, again] };
  }

  private pause(attempts: number): number {
    const { random = Math.random } = this.options;
    const pause = Math.min(FIRST_PAUSE_MILLISECONDS * 4 ** (attempts - 1), LONGEST_PAUSE_MILLISECONDS);
    return pause * (0.75 + random() / 2);
  }

  private webhook({ tenant, webhookId }: DueDelivery): Promise<Entry<WebhookRecord> | undefined> {
    return this.options.store.get<WebhookRecord>(webhookKey(tenant, webhookId));
  }

  private count(due: DueDelivery, change: number): void {
    for (const place of placesOf(due)) {
      const count = (this.busy.get(place) ?? 0) + change;
      if (count === 0) this.busy.delete(place);
      else this.busy.set(place, count);
    }
  }

  private warn(error: unknown, message: string): void {
    this.options.logger.warn({ reason: describe(error) }, message);
  }
}

/** What an attempt takes a place of. */
const placesOf = ({ tenant, webhookId }: DueDelivery): [webhook: string, tenant: string] => [
  `${tenant}/${webhookId}`,
  tenant,
];

/** The webhook after a failed attempt: disabled by too many in a row, and by an answer that says that it is gone. */
function failed(webhook: WebhookRecord, answer: Answer, now: Date): WebhookRecord {
  const failures = webhook.failures + 1;
  const said = "status" in answer ? `HTTP ${answer.status}` : answer.error;
  const gone = "status" in answer && answer.status === GONE;
  if (webhook.disabledAt !== undefined || (failures < MOST_FAILURES && !gone))
    return { ...webhook, failures };
  const disabledReason = gone
    ? "Its receiver answered HTTP 410: it is gone."
    : `${failures} attempts in a row failed, the last with: ${said}`;
  return { ...webhook, failures, disabledAt: now.toISOString(), disabledReason };
}

/** Short, and without the inside of this server. */
function describe(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (name === "AbortError" || name === "TimeoutError") return "There was no answer in time.";
  return (code === undefined || code === "VALIDATION_FAILED" ? message : code).slice(0, 200);
}
