import type { AppError } from "../../errors.ts";
import { nextIdentifier } from "../../jobs/identifier.ts";
import type { Store, Write } from "../../store/store.ts";
import { type Counts, NOTHING, partKey, readDays, sum } from "./daily-use.ts";
import {
  dayOf,
  type Flow,
  type OnRefused,
  periodOf,
  type Quota,
  type Quotas,
  quotaExceeded,
  readQuotas,
} from "./quota.ts";

/** Where trouble with the store is told; pino's loggers fit. */
interface MeterLogger {
  warn(facts: object, message: string): void;
}

interface UsageMeterOptions {
  readonly store: Store;
  readonly logger: MeterLogger;
  readonly flushMilliseconds?: number;
  readonly now?: () => Date;
  /** Hears of what quotas refuse. */
  readonly onRefused?: OnRefused;
}

/** What is known of a tenant's use of this month. */
interface TenantUse {
  /** What this process counted, by day; days that are over are dropped once they are written. */
  readonly own: Map<string, Counts>;
  /** Days of `own` that are not written. */
  readonly unwritten: Set<string>;
  /** What all others counted, by day. */
  others: ReadonlyMap<string, Counts>;
  quotas: Quotas;
  /** Milliseconds since 1970. */
  readAt: number;
}

/** Takes back so much of what was charged. */
export type Refund = (amount: number) => void;

const FLUSH_MILLISECONDS = 1_000;

/**
 * Counts what tenants use, in memory, and refuses what their quotas do not hold. Once a second the counts are written
 * and those of the other processes read. So a limit is exact for one server; with several it can be passed by what
 * the others let in within about two seconds; and a server that is killed forgets at most the last second.
 */
export class UsageMeter {
  private readonly process: string;
  private readonly now: () => Date;
  private readonly uses = new Map<string, TenantUse>();
  private readonly reading = new Map<string, Promise<TenantUse>>();
  private flushing: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: UsageMeterOptions) {
    this.now = options.now ?? (() => new Date());
    this.process = nextIdentifier(this.now());
  }

  start(): void {
    this.timer = setInterval(() => {
      this.flush().catch((error) => this.warn(error, "what tenants used is written later"));
    }, this.flushMilliseconds).unref();
  }

  /** Writes what is left, if the store is there. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.flush().catch((error) => this.warn(error, "what tenants used last could not be written"));
  }

  /** Counts an amount when the tenant's quota holds it; otherwise fails with QUOTA_EXCEEDED and counts nothing. */
  async charge(tenant: string, flow: Flow, amount: number): Promise<Refund> {
    const use = await this.current(tenant);
    const quota = use.quotas[flow];
    const used = quota ? this.used(use, flow, quota) : 0;
    if (quota && used + amount > quota.limit) {
      this.options.onRefused?.(flow);
      throw quotaExceeded(flow, quota, { used, asked: amount, now: this.now() });
    }
    return this.add(use, flow, amount);
  }

  /** Counts what has happened already, or may not be refused; no store needs to answer for it. */
  count(tenant: string, flow: Flow, amount: number): void {
    this.add(this.uses.get(tenant) ?? this.open(tenant), flow, amount);
  }

  /** Why nothing more of it may be used: QUOTA_EXCEEDED when the limit is reached. */
  async spent(tenant: string, flow: Flow): Promise<AppError | undefined> {
    const use = await this.current(tenant);
    const quota = use.quotas[flow];
    const used = quota ? this.used(use, flow, quota) : 0;
    return quota && used >= quota.limit ? quotaExceeded(flow, quota, { used, now: this.now() }) : undefined;
  }

  /** Fails with QUOTA_EXCEEDED when the limit is reached. */
  async requireLeft(tenant: string, flow: Flow): Promise<void> {
    const refusal = await this.spent(tenant, flow);
    if (!refusal) return;
    this.options.onRefused?.(flow);
    throw refusal;
  }

  /** What is used in a quota's window, by all processes. */
  async usedIn(tenant: string, flow: Flow, quota: Quota): Promise<number> {
    return this.used(await this.read(tenant), flow, quota);
  }

  /** Has this process see changed quotas at once; others see them within two seconds. */
  forget(tenant: string): void {
    const use = this.uses.get(tenant);
    if (use) use.readAt = 0;
  }

  /** Writes what was counted, then reads what others counted. */
  flush(): Promise<void> {
    this.flushing = this.flushing.catch(() => {}).then(() => this.write());
    return this.flushing;
  }

  private async write(): Promise<void> {
    const parts = [...this.uses].flatMap(([tenant, use]) =>
      [...use.unwritten].map((day) => ({ tenant, use, day, counts: use.own.get(day) })),
    );
    if (parts.length === 0) return;
    await this.options.store.commit(
      parts.map(({ tenant, day, counts }): Write => {
        return { kind: "put", key: partKey(tenant, day, this.process), value: counts };
      }),
    );
    // What was counted meanwhile is written in the next round.
    for (const { use, day, counts } of parts) if (use.own.get(day) === counts) use.unwritten.delete(day);
    await Promise.all([...new Set(parts.map(({ tenant }) => tenant))].map((tenant) => this.read(tenant)));
  }

  /** What is known is at most two rounds old. */
  private async current(tenant: string): Promise<TenantUse> {
    const use = this.uses.get(tenant);
    if (use && this.now().getTime() - use.readAt < 2 * this.flushMilliseconds) return use;
    return this.read(tenant);
  }

  private read(tenant: string): Promise<TenantUse> {
    const reading =
      this.reading.get(tenant) ?? this.readNow(tenant).finally(() => this.reading.delete(tenant));
    this.reading.set(tenant, reading);
    return reading;
  }

  private async readNow(tenant: string): Promise<TenantUse> {
    const { store } = this.options;
    const now = this.now();
    const use = this.uses.get(tenant) ?? this.open(tenant);
    for (const day of use.own.keys()) if (day < dayOf(now) && !use.unwritten.has(day)) use.own.delete(day);
    // Whatever this process counts of a day that it has at hand, it counts better than the store.
    const isOwn = (day: string, process: string) => process === this.process && use.own.has(day);
    const [others, quotas] = await Promise.all([
      readDays(store, tenant, [periodOf("month", now), dayOf(now)], isOwn),
      readQuotas(store, tenant),
    ]);
    return Object.assign(use, { others, quotas, readAt: now.getTime() });
  }

  /** Nothing is known of it yet, so it is read before anything is decided by it. */
  private open(tenant: string): TenantUse {
    const use = { own: new Map(), unwritten: new Set<string>(), others: new Map(), quotas: {}, readAt: 0 };
    this.uses.set(tenant, use);
    return use;
  }

  private used({ own, others }: TenantUse, flow: Flow, { window = "month" }: Quota): number {
    const period = periodOf(window, this.now());
    let used = 0;
    for (const days of [own, others])
      for (const [day, counts] of days) if (day.startsWith(period)) used += counts[flow];
    return used;
  }

  private add(use: TenantUse, flow: Flow, amount: number): Refund {
    const day = dayOf(this.now());
    const change = (by: number) => {
      use.own.set(day, sum(use.own.get(day) ?? NOTHING, { ...NOTHING, [flow]: by }));
      use.unwritten.add(day);
    };
    change(amount);
    // A day that is over and written is not opened again.
    return (back) => back !== 0 && use.own.has(day) && change(-back);
  }

  private warn(error: unknown, message: string): void {
    this.options.logger.warn({ reason: String(error) }, message);
  }

  private get flushMilliseconds(): number {
    return this.options.flushMilliseconds ?? FLUSH_MILLISECONDS;
  }
}
