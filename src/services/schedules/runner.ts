import { AppError } from "../../errors.ts";
import { isFinished } from "../../jobs/states.ts";
import type { Entry, Store, Write } from "../../store/store.ts";
import type { TenantJobs } from "../jobs.ts";
import type { ModelRegistry } from "../registry.ts";
import type { Tenant } from "../tenant.ts";
import { type Judgement, judge } from "./judgement.ts";
import { newestOutcomes } from "./outcomes.ts";
import { type Firing, type OutcomeRecord, outcomesOf, SCHEDULES, type ScheduleRecord } from "./records.ts";
import { planRollback } from "./rollback.ts";

/** What the runner needs of a tenant. */
export type ScheduledTenant = Pick<Tenant, "aliases" | "prompts" | "evaluations"> & {
  readonly jobs: Pick<TenantJobs, "evaluate" | "find">;
};

export interface ScheduleRunnerOptions {
  readonly store: Store;
  readonly tenant: (name: string) => ScheduledTenant;
  readonly models: Pick<ModelRegistry, "ofVersion">;
  /** Nothing new is begun for a tenant that is not. */
  readonly isActive: (tenant: string) => Promise<boolean>;
  /** Names this server, among those that share the store. */
  readonly holder: string;
  readonly now?: () => Date;
  readonly logger: { warn(facts: object, message: string): void };
}

type Held = Entry<ScheduleRecord>;

const TICK_MILLISECONDS = 5_000;
/** So long after a server's last sign of life, another one looks after its schedules. */
const LEASE_MILLISECONDS = 60_000;
/** A full queue and the like are over soon; the next tick tries again. */
const PASSING: ReadonlySet<string> = new Set(["OVERLOADED", "THROTTLED"]);

/**
 * Makes the scheduled evaluations of all tenants. Of the servers that share a store, one looks after a schedule at a
 * time, by a lease; every step is a commit that insists on the record it was decided on, and evaluations are started
 * under keys that name the firing, so that a server may die at any moment and nothing happens twice. What was due while
 * no server ran is made up for once.
 */
export class ScheduleRunner {
  private timer: NodeJS.Timeout | undefined;
  private ticking: Promise<void> | undefined;
  private stopped = false;
  private readonly now: () => Date;

  constructor(private readonly options: ScheduleRunnerOptions) {
    this.now = options.now ?? (() => new Date());
  }

  /** A tick that takes longer, such as one while the store is away, is the only one for so long. */
  start(everyMilliseconds = TICK_MILLISECONDS): void {
    this.timer = setInterval(() => {
      this.ticking ??= this.tick().finally(() => {
        this.ticking = undefined;
      });
    }, everyMilliseconds).unref();
  }

  /** Begins with no further schedule, and resolves when what was begun is done. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.timer);
    await this.ticking;
  }

  /** Takes every schedule that is due, or being evaluated, as far as it goes now. */
  async tick(): Promise<void> {
    try {
      for (const entry of await this.options.store.list<ScheduleRecord>(SCHEDULES)) {
        if (this.stopped) return;
        if (entry.value.firing || (await this.isDue(entry.value))) await this.look(entry);
      }
    } catch (error) {
      this.options.logger.warn({ reason: String(error) }, "the schedules could not be read");
    }
  }

  private async isDue({ nextAt, tenant }: ScheduleRecord): Promise<boolean> {
    return nextAt <= this.now().toISOString() && (await this.options.isActive(tenant));
  }

  private async look(entry: Held): Promise<void> {
    try {
      await this.advance(entry);
    } catch (error) {
      const { id, tenant } = entry.value;
      const facts = { schedule: id, tenant, reason: String(error) };
      this.options.logger.warn(facts, "a scheduled evaluation is left to the next tick");
    }
  }

  /** Each step goes on where the one before has come to, also when that was on another server. */
  private async advance(entry: Held): Promise<void> {
    let held = await this.lead(entry);
    if (held && !held.value.firing) held = await this.fire(held);
    if (held?.value.firing && !held.value.firing.jobs) held = await this.startJobs(held, held.value.firing);
    if (held?.value.firing?.jobs) await this.settle(held, held.value.firing, held.value.firing.jobs);
  }

  /** The schedule, if this server looks after it. */
  private async lead(entry: Held): Promise<Held | undefined> {
    const { lease } = entry.value;
    const now = this.now();
    const left = lease ? Date.parse(lease.until) - now.getTime() : 0;
    const { holder } = this.options;
    if (left > 0 && lease?.holder !== holder) return undefined;
    if (left > LEASE_MILLISECONDS / 2) return entry;
    const until = new Date(now.getTime() + LEASE_MILLISECONDS).toISOString();
    return this.write(entry, { ...entry.value, lease: { holder, until } });
  }

  private async fire(held: Held): Promise<Held | undefined> {
    const { tenant, promptSet, alias, nextAt, everySeconds } = held.value;
    const dueAt = nextAt;
    const next = { ...held.value, nextAt: following(dueAt, everySeconds, this.now()) };
    const at = await this.options.tenant(tenant).aliases.find(promptSet, alias);
    if (at) return this.write(held, { ...next, firing: { dueAt, versionId: at.versionId } });
    const reasons = [`There is no alias "${alias}" in prompt set "${promptSet}" any more.`];
    return this.conclude(
      { ...held, value: next },
      { outcome: "INCOMPLETE", dueAt, reasons, evaluations: [] },
    );
  }

  private async startJobs(held: Held, firing: Firing): Promise<Held | undefined> {
    try {
      const jobs = await this.evaluations(held.value, firing);
      return await this.write(held, { ...held.value, firing: { ...firing, jobs } });
    } catch (error) {
      if (!(error instanceof AppError) || PASSING.has(error.code) || error.code === "INTERNAL") throw error;
      return this.conclude(held, {
        ...firingFacts(firing),
        outcome: "INCOMPLETE",
        reasons: [error.message],
        evaluations: [],
      });
    }
  }

  private async evaluations(schedule: ScheduleRecord, { dueAt, versionId }: Firing) {
    const { jobs, prompts } = this.options.tenant(schedule.tenant);
    const version = await prompts.getVersion(versionId);
    const { labels, templates } = version.manifest;
    const { name: model } = await this.options.models.ofVersion(version);
    const { dataset, attacks, gate } = schedule;
    const start = async (
      choice: Pick<Parameters<typeof jobs.evaluate>[0], "through" | "labels" | "attack">,
      name: string,
    ) => {
      const { job } = await jobs.evaluate(
        { model, dataset, ...choice },
        `schedule ${schedule.id} ${dueAt} ${name}`,
      );
      return job?.id ?? "";
    };
    const through = { kind: "version", id: versionId } as const;
    const started: string[] = [];
    for (const [index, attack] of (attacks.length > 0 ? attacks : [undefined]).entries())
      started.push(await start({ through, attack }, String(index)));
    if (gate.minCaDelta === undefined) return { attacks: started };
    const undefended = { through: { kind: "templates", templates } as const, labels };
    return { attacks: started, undefended: await start(undefended, "undefended") };
  }

  private async settle(held: Held, firing: Firing, ids: NonNullable<Firing["jobs"]>): Promise<void> {
    const { tenant, gate } = held.value;
    const { jobs, evaluations } = this.options.tenant(tenant);
    const all = [...ids.attacks, ...(ids.undefended === undefined ? [] : [ids.undefended])];
    const records = await Promise.all(all.map((id) => jobs.find(id)));
    if (records.some((job) => job && !isFinished(job.status))) return;
    const failed = records.flatMap((job) =>
      job?.status === "SUCCEEDED"
        ? []
        : [`An evaluation was not made: ${job?.failure?.message ?? "it is gone or was cancelled."}`],
    );
    const made = await Promise.all(ids.attacks.map((id) => evaluations.find(id)));
    const found = made.filter((record) => record !== undefined);
    const undefended = ids.undefended === undefined ? undefined : await evaluations.find(ids.undefended);
    const judgement = judge(gate, found, undefended?.ca);
    const facts = { ...firingFacts(firing), evaluations: found.map(({ id }) => id) };
    if (judgement.against.length > 0) {
      await this.takeBack(held, facts, judgement);
      return;
    }
    const reasons = [...failed, ...judgement.unmeasured];
    await this.conclude(held, { ...facts, outcome: reasons.length > 0 ? "INCOMPLETE" : "PASSED", reasons });
  }

  /** In one commit: the alias moves, the outcome is noted, and webhooks are told. Nothing moves what somebody has moved. */
  private async takeBack(
    held: Held,
    facts: Omit<OutcomeRecord, "outcome" | "at" | "reasons"> & { readonly versionId: string },
    judgement: Judgement,
  ): Promise<void> {
    const { store, models, tenant } = this.options;
    const { aliases, prompts } = tenant(held.value.tenant);
    const planned = await planRollback(
      { store, models, aliases, prompts },
      held.value,
      facts.versionId,
      judgement,
    );
    const { outcome, to, writes } = planned;
    await this.conclude(held, { ...facts, outcome, to, reasons: judgement.reasons }, writes);
  }

  private async conclude(
    held: Held,
    outcome: Omit<OutcomeRecord, "at">,
    writes: readonly Write[] = [],
  ): Promise<undefined> {
    const { firing: _, lease: __, ...rest } = held.value;
    const record: OutcomeRecord = { ...outcome, at: this.now().toISOString() };
    const stream = outcomesOf(rest.tenant, rest.id);
    // By the last one's place, so that the count is right also after a server that does not count.
    const [last] = await newestOutcomes(this.options.store, rest, 1);
    const value = { ...rest, outcomes: (last?.seq ?? 0) + 1 };
    await this.write(held, value, [{ kind: "append", stream, value: record }, ...writes]);
  }

  /** The entry as it is then; undefined when somebody else has written it first. */
  private async write(
    { key, revision }: Held,
    value: ScheduleRecord,
    more: readonly Write[] = [],
  ): Promise<Held | undefined> {
    const put: Write = { kind: "put", key, value, expected: revision };
    return (await this.options.store.commit([put, ...more]))
      ? { key, value, revision: revision + 1 }
      : undefined;
  }
}

const firingFacts = ({ dueAt, versionId }: Firing) => ({ dueAt, versionId });

/** The first time after now at which the schedule is due, counted from when it was due. */
function following(dueAt: string, everySeconds: number, now: Date): string {
  const [due, every] = [Date.parse(dueAt), everySeconds * 1000];
  const missed = Math.max(0, Math.floor((now.getTime() - due) / every));
  return new Date(due + (missed + 1) * every).toISOString();
}
