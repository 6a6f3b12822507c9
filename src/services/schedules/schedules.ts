import { AppError } from "../../errors.ts";
import { nextIdentifier } from "../../jobs/identifier.ts";
import type { Store } from "../../store/store.ts";
import type { Aliases } from "../aliases.ts";
import { digestOf } from "../canonical.ts";
import type { Datasets } from "../datasets.ts";
import { checkTerms } from "../gates.ts";
import { assertSameInput, type IdempotencyRecord, idempotencyRecordKey } from "../idempotency.ts";
import { isName } from "../names.ts";
import { notFound } from "../not-found.ts";
import type { Prompts } from "../prompts.ts";
import { checkedAttack } from "../triggers.ts";
import { newestOutcomes } from "./outcomes.ts";
import { type OutcomeRecord, type ScheduleRecord, scheduleKey } from "./records.ts";

/** What a caller asks for. */
export type ScheduleChoice = Pick<
  ScheduleRecord,
  "promptSet" | "alias" | "dataset" | "attacks" | "everySeconds" | "gate"
> & {
  /** When it is due first; at once by default. */
  readonly startAt?: Date;
};

interface SchedulesOptions {
  readonly tenant: string;
  readonly store: Store;
  readonly datasets: Datasets;
  readonly prompts: Prompts;
  readonly aliases: Aliases;
  readonly now?: () => Date;
}

const SHORTEST_SECONDS = 60;
const LONGEST_SECONDS = 366 * 24 * 3600;
const MOST_ATTACKS = 10;
const MOST_SCHEDULES = 20;

/** A tenant's scheduled evaluations. `ScheduleRunner` makes them. */
export class Schedules {
  constructor(private readonly options: SchedulesOptions) {}

  /**
   * The same key with the same input answers the schedule that is there. Fails with NOT_FOUND or VALIDATION_FAILED for
   * what could never be evaluated, with QUOTA_EXCEEDED, and with IDEMPOTENCY_CONFLICT.
   */
  async create(choice: ScheduleChoice, by: string, idempotencyKey?: string): Promise<ScheduleRecord> {
    const { store, tenant, now = () => new Date() } = this.options;
    const key =
      idempotencyKey === undefined ? undefined : idempotencyRecordKey(tenant, "schedule", idempotencyKey);
    const input = digestOf({ ...choice, startAt: choice.startAt?.toISOString() });
    const known = key ? await store.get<IdempotencyRecord>(key) : undefined;
    if (known) {
      assertSameInput(known.value, input, idempotencyKey ?? "", "schedule");
      return this.get(known.value.jobId);
    }
    await this.check(choice);
    if ((await this.list()).length >= MOST_SCHEDULES)
      throw new AppError("QUOTA_EXCEEDED", `There are ${MOST_SCHEDULES} schedules; cancel one first.`);
    const { startAt = now(), ...asked } = choice;
    const id = nextIdentifier(now());
    const nextAt = startAt.toISOString();
    const record: ScheduleRecord = { ...asked, id, tenant, by, createdAt: now().toISOString(), nextAt };
    const made = await store.commit([
      { kind: "put", key: scheduleKey(tenant, id), value: record, expected: 0 },
      ...(key ? [{ kind: "put", key, value: { input, jobId: id }, expected: 0 } as const] : []),
    ]);
    // Somebody with the same key came first.
    return made ? record : this.create(choice, by, idempotencyKey);
  }

  /** Oldest first. */
  async list(promptSet?: string): Promise<ScheduleRecord[]> {
    const entries = await this.options.store.list<ScheduleRecord>(scheduleKey(this.options.tenant, ""));
    const records = entries.map(({ value }) => value);
    return promptSet === undefined ? records : records.filter((record) => record.promptSet === promptSet);
  }

  async find(id: string): Promise<ScheduleRecord | undefined> {
    if (!isName(id)) return undefined;
    return (await this.options.store.get<ScheduleRecord>(scheduleKey(this.options.tenant, id)))?.value;
  }

  /** Fails with NOT_FOUND. */
  private async get(id: string): Promise<ScheduleRecord> {
    const record = await this.find(id);
    if (!record) throw notFound("schedule", id);
    return record;
  }

  /** What has been started goes on as the jobs that they are. Fails with NOT_FOUND. */
  async cancel(id: string): Promise<ScheduleRecord> {
    const record = await this.get(id);
    await this.options.store.commit([{ kind: "delete", key: scheduleKey(this.options.tenant, id) }]);
    return record;
  }

  /** Newest first. */
  async outcomes(schedule: ScheduleRecord, first: number): Promise<OutcomeRecord[]> {
    const entries = await newestOutcomes(this.options.store, schedule, first);
    return entries.map(({ value }) => value).reverse();
  }

  private async check({ promptSet, alias, dataset, attacks, everySeconds, gate }: ScheduleChoice) {
    const at = await this.options.aliases.find(promptSet, alias);
    if (!at) throw notFound("alias", `${promptSet}/${alias}`);
    await this.options.datasets.get(dataset);
    const { labels } = (await this.options.prompts.getVersion(at.versionId)).manifest;
    if (attacks.length > MOST_ATTACKS) throw invalid(`At most ${MOST_ATTACKS} attacks can be scheduled.`);
    for (const attack of attacks) checkedAttack(attack, labels);
    const inRange = everySeconds >= SHORTEST_SECONDS && everySeconds <= LONGEST_SECONDS;
    if (!Number.isInteger(everySeconds) || !inRange)
      throw invalid(`everySeconds must be a whole number from ${SHORTEST_SECONDS} to ${LONGEST_SECONDS}.`);
    checkTerms(gate);
    if (gate.maxAsr95 === undefined && gate.minCaDelta === undefined)
      throw invalid("The gate has no term, so nothing could ever be wrong. Give maxAsr95 or minCaDelta.");
    if (gate.maxAsr95 !== undefined && attacks.length === 0)
      throw invalid("gate.maxAsr95 needs an attack to be measured with.");
  }
}

const invalid = (message: string): AppError => new AppError("VALIDATION_FAILED", message);
