import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { defaultConfig } from "../../src/engine/cbpt/config.ts";
import type { Count } from "../../src/engine/evaluation/rate.ts";
import { AppError } from "../../src/errors.ts";
import type { JobRecord } from "../../src/jobs/job.ts";
import { Aliases } from "../../src/services/aliases.ts";
import { versionOf } from "../../src/services/bundles/new-version.ts";
import { Evaluations } from "../../src/services/evaluations.ts";
import type { EvaluateChoice } from "../../src/services/job-planner.ts";
import type { EvaluationRecord } from "../../src/services/job-specs.ts";
import { MANIFEST_FORMAT } from "../../src/services/manifest.ts";
import { Prompts } from "../../src/services/prompts.ts";
import type { ModelRecord } from "../../src/services/registry.ts";
import { judge } from "../../src/services/schedules/judgement.ts";
import {
  type OutcomeRecord,
  outcomesOf,
  type ScheduleRecord,
  scheduleKey,
} from "../../src/services/schedules/records.ts";
import {
  type ScheduledTenant,
  ScheduleRunner,
  type ScheduleRunnerOptions,
} from "../../src/services/schedules/runner.ts";
import { Schedules } from "../../src/services/schedules/schedules.ts";
import { DELIVERIES, type DeliveryRecord, webhookKey } from "../../src/services/webhooks/records.ts";
import type { Store } from "../../src/store/store.ts";
import { describeStores } from "../support/stores.ts";

const BADNET = { kind: "badnet", target: "a", parameters: {} };
const BLENDED = { kind: "blended", target: "b", parameters: { alpha: 0.1 } };
const NOON = Date.parse("2026-11-26T12:00:00.000Z");
const HOUR = 3_600_000;
const at = (hours: number) => new Date(NOON + hours * HOUR).toISOString();

/** Evaluation jobs that a test ends as it likes; everything else of a tenant is real. */
class Jobs {
  readonly started: { id: string; key: string; choice: EvaluateChoice }[] = [];
  refusal: AppError | undefined;
  private readonly states = new Map<string, Partial<JobRecord>>();

  constructor(
    private readonly store: Store,
    private readonly tenant: string,
  ) {}

  evaluate = async (choice: EvaluateChoice, key: string) => {
    if (this.refusal) throw this.refusal;
    const known = this.started.find((job) => job.key === key);
    const id = known?.id ?? `${this.tenant}-job-${this.started.length}`;
    if (!known) this.started.push({ id, key, choice });
    if (!known) this.states.set(id, { id, status: "RUNNING" });
    return { job: { id } as JobRecord, replayed: known !== undefined };
  };

  find = async (id: string) => this.states.get(id) as JobRecord | undefined;

  async succeed(id: string, counts: { ca?: Count; asr?: Count }): Promise<void> {
    const job = this.started.find((one) => one.id === id)!;
    const { through, attack } = job.choice;
    const record = {
      ca: { k: 90, n: 100 },
      ...counts,
      id,
      labels: ["a", "b"],
      perClass: [],
      protocol: "p",
      attack,
      versionId: through.kind === "version" ? through.id : undefined,
    } as EvaluationRecord;
    await this.store.commit(new Evaluations(this.store, this.tenant).plan(record));
    this.states.set(id, { id, status: "SUCCEEDED" });
  }

  fail(id: string, message: string): void {
    this.states.set(id, {
      id,
      status: "FAILED",
      failure: { code: "WORKER_LOST", message, details: {}, retryable: true },
    });
  }
}

let tenants = 0;

describeStores((openStore) => {
  let store: Store;
  beforeAll(async () => {
    store = await openStore();
  });
  afterAll(() => store.close());

  let name: string;
  let now: number;
  let jobs: Jobs;
  let tenant: ScheduledTenant;
  let good: string;
  let bad: string;
  beforeEach(async () => {
    name = `acme${tenants++}`;
    now = NOON;
    jobs = new Jobs(store, name);
    const [prompts, aliases] = [new Prompts(store, name), new Aliases(store, name)];
    tenant = { prompts, aliases, evaluations: new Evaluations(store, name), jobs };
    await prompts.ensureSet("shop");
    good = await makeVersion("good", { k: 0, n: 1000 });
    bad = await makeVersion("bad", { k: 0, n: 1000 });
    await aliases.move({ promptSet: "shop", alias: "live", to: good, by: "me" });
    await aliases.move({ promptSet: "shop", alias: "live", to: bad, by: "me" });
  });

  /** A version whose probe says so much of itself. */
  async function makeVersion(tensors: string, asr: Count, more: object = {}): Promise<string> {
    const manifest = {
      format: MANIFEST_FORMAT,
      model: { name: "m", weights: "w", preprocessing: "p" },
      labels: ["a", "b"],
      templates: ["a {}"],
      contextTokens: 4,
      position: "END",
      source: { kind: "cbpt", config: defaultConfig("UNIVERSAL"), shots: 2, dataset: "d" },
      tensors,
    } as const;
    const probe = { ca: { k: 95, n: 100 }, asr };
    const evidence = { probe, undefendedProbe: { ca: { k: 95, n: 100 } }, code: "1", device: "cpu" };
    const made = { ...versionOf({ manifest, evidence }, { digest: "x", bytes: 1 }), ...more };
    const { version, writes } = await tenant.prompts.plan("shop", made);
    await store.commit(writes);
    return version.id;
  }

  async function schedule(more: Partial<ScheduleRecord> = {}): Promise<void> {
    const record: ScheduleRecord = {
      id: "s",
      tenant: name,
      promptSet: "shop",
      alias: "live",
      dataset: "d",
      attacks: [BADNET],
      everySeconds: 3600,
      gate: { maxAsr95: 0.05 },
      by: "me",
      createdAt: at(0),
      nextAt: at(0),
      ...more,
    };
    await store.commit([{ kind: "put", key: scheduleKey(name, "s"), value: record }]);
  }

  function runner(holder = "one"): ScheduleRunner {
    const ofVersion = async () => ({ name: "m" }) as ModelRecord;
    const logger = { warn: (facts: object) => void warnings.push(facts) };
    // Other tests' tenants are in the store too.
    const open = (asked: string) => (asked === name ? tenant : expired);
    const isActive = async (asked: string) => asked === name && !suspended;
    return new ScheduleRunner({
      isActive,
      store,
      tenant: open,
      models: { ofVersion },
      holder,
      now: () => new Date(now),
      logger,
    });
  }
  const warnings: object[] = [];
  let suspended = false;
  const expired = {} as ScheduledTenant;

  const schedulesOf = (read: Store["read"] = store.read.bind(store)) =>
    new Schedules({ tenant: name, store: { read } } as ConstructorParameters<typeof Schedules>[0]);
  const current = async () => (await store.get<ScheduleRecord>(scheduleKey(name, "s")))!.value;
  const outcomes = async () =>
    (await store.read<OutcomeRecord>(outcomesOf(name, "s"), 0)).map(({ value }) => value);
  const live = async () => (await tenant.aliases.find("shop", "live"))!;

  describe("a schedule", () => {
    test("evaluates with each attack and the undefended prompts, passes, and is due again", async () => {
      await schedule({ attacks: [BADNET, BLENDED], gate: { maxAsr95: 0.05, minCaDelta: -0.02 } });
      await runner().tick();
      expect(jobs.started.map(({ choice }) => choice)).toEqual([
        { model: "m", dataset: "d", through: { kind: "version", id: bad }, attack: BADNET },
        { model: "m", dataset: "d", through: { kind: "version", id: bad }, attack: BLENDED },
        { model: "m", dataset: "d", through: { kind: "templates", templates: ["a {}"] }, labels: ["a", "b"] },
      ]);
      await runner().tick();
      expect(await outcomes()).toEqual([]);
      for (const { id } of jobs.started) await jobs.succeed(id, { asr: { k: 0, n: 1000 } });
      now += HOUR / 2;
      await runner().tick();
      expect(await outcomes()).toEqual([
        {
          outcome: "PASSED",
          at: at(0.5),
          dueAt: at(0),
          versionId: bad,
          reasons: [],
          evaluations: jobs.started.slice(0, 2).map(({ id }) => id),
        },
      ]);
      const { firing, lease, nextAt } = await current();
      expect([firing, lease, nextAt]).toEqual([undefined, undefined, at(1)]);
      await runner().tick();
      expect(jobs.started).toHaveLength(3);
      now = NOON + HOUR;
      await runner().tick();
      expect(jobs.started).toHaveLength(6);
    });

    test("moves the alias back to the last version that passed, with the reason and the evidence, and tells", async () => {
      await store.commit([
        {
          kind: "put",
          key: webhookKey(name, "w"),
          value: {
            id: "w",
            url: "https://x",
            events: ["alias.rolled-back", "alias.gate-failed"],
            secret: "",
            failures: 0,
          },
        },
      ]);
      await schedule();
      await runner().tick();
      // 10 of 1000 proves no more than that it is at most 1.8 %; 40 of 1000 may be 5.4 %.
      await jobs.succeed(jobs.started[0].id, { asr: { k: 40, n: 1000 } });
      await runner().tick();
      expect(await outcomes()).toMatchObject([
        {
          outcome: "ROLLED_BACK",
          versionId: bad,
          to: good,
          reasons: [expect.stringContaining("up to 5.4 %")],
        },
      ]);
      expect(await live()).toMatchObject({ versionId: good, moves: 3 });
      expect(await tenant.aliases.history(await live(), 1)).toMatchObject([
        {
          by: "schedule s",
          from: bad,
          to: good,
          reason: expect.stringContaining('badnet to "a"'),
          evidence: jobs.started[0].id,
        },
      ]);
      const told = await store.list<DeliveryRecord>(`${DELIVERIES}${name}/`);
      const bodies = told.map(({ value }) => JSON.parse(value.body));
      expect(bodies.map(({ type }) => type).sort()).toEqual(["alias.gate-failed", "alias.rolled-back"]);
      expect(bodies.find(({ type }) => type === "alias.rolled-back").data).toMatchObject({
        tenant: name,
        promptSetId: "promptset_shop",
        alias: "live",
        versionId: `version_${bad}`,
        to: `version_${good}`,
        scheduleId: "schedule_s",
        evaluationIds: [`evaluation_${jobs.started[0].id}`],
      });
    });

    test("moves back also where clean accuracy has fallen too far", async () => {
      await schedule({ attacks: [], gate: { minCaDelta: -0.02 } });
      await runner().tick();
      expect(jobs.started.map(({ choice }) => choice.attack)).toEqual([undefined, undefined]);
      await jobs.succeed(jobs.started[0].id, { ca: { k: 90, n: 100 } });
      await jobs.succeed(jobs.started[1].id, { ca: { k: 95, n: 100 } });
      await runner().tick();
      expect(await outcomes()).toMatchObject([{ outcome: "ROLLED_BACK", to: good }]);
    });

    test("moves nothing when somebody has moved the alias meanwhile", async () => {
      await schedule();
      await runner().tick();
      const other = await makeVersion("other", { k: 500, n: 1000 });
      await tenant.aliases.move({ promptSet: "shop", alias: "live", to: other, by: "me" });
      await jobs.succeed(jobs.started[0].id, { asr: { k: 900, n: 1000 } });
      await runner().tick();
      expect(await outcomes()).toMatchObject([{ outcome: "MOVED_MEANWHILE", versionId: bad }]);
      expect(await live()).toMatchObject({ versionId: other, moves: 3 });
    });

    test("moves to no version that has not passed: measured bad, not measured, or only claimed", async () => {
      const { aliases } = tenant;
      await store.commit([{ kind: "delete", key: `tenants/${name}/aliases/shop/live` }]);
      const claimed = await makeVersion("claimed", { k: 0, n: 1000 }, { importedBy: "somebody" });
      const unmeasured = await makeVersion("unmeasured", { k: 0, n: 0 });
      for (const to of [claimed, unmeasured, bad, good])
        await aliases.move({ promptSet: "shop", alias: "pinned", to, by: "me" });
      await schedule({ alias: "pinned" });
      const round = async (asr: Count) => {
        await runner().tick();
        await jobs.succeed(jobs.started[jobs.started.length - 1].id, { asr });
        await runner().tick();
        now += HOUR;
      };
      // From good to bad, which by its probe passes; then bad is measured, and good was measured too.
      await round({ k: 900, n: 1000 });
      await round({ k: 900, n: 1000 });
      expect((await outcomes()).map(({ outcome, to }) => [outcome, to])).toEqual([
        ["ROLLED_BACK", bad],
        ["NOWHERE_TO_RETURN", undefined],
      ]);
      expect((await aliases.find("shop", "pinned"))?.versionId).toBe(bad);
    });

    test("makes up once for what was missed, and keeps to its times", async () => {
      await schedule();
      now = NOON + 10.5 * HOUR;
      await runner().tick();
      expect(jobs.started).toHaveLength(1);
      await jobs.succeed(jobs.started[0].id, { asr: { k: 0, n: 1000 } });
      for (let tick = 0; tick < 5; tick++) await runner().tick();
      expect(jobs.started).toHaveLength(1);
      expect((await current()).nextAt).toBe(at(11));
    });

    test("says what could not be measured, and leaves the alias where it is", async () => {
      await schedule({ attacks: [BADNET, BLENDED] });
      await runner().tick();
      jobs.fail(jobs.started[0].id, "Its worker was lost.");
      await runner().tick();
      expect(await outcomes()).toEqual([]);
      await jobs.succeed(jobs.started[1].id, { asr: { k: 0, n: 0 } });
      await runner().tick();
      expect(await outcomes()).toMatchObject([
        {
          outcome: "INCOMPLETE",
          reasons: [expect.stringContaining("worker was lost"), expect.stringContaining("No image")],
        },
      ]);
      expect((await live()).versionId).toBe(bad);
    });

    test("waits while the queue is full, and gives up what can never be evaluated", async () => {
      await schedule();
      jobs.refusal = new AppError("OVERLOADED", "Full.");
      await runner().tick();
      expect(await outcomes()).toEqual([]);
      expect((await current()).firing).toMatchObject({ dueAt: at(0) });
      jobs.refusal = new AppError("NOT_FOUND", 'There is no dataset "d".');
      await runner().tick();
      expect(await outcomes()).toMatchObject([
        { outcome: "INCOMPLETE", reasons: ['There is no dataset "d".'] },
      ]);
    });

    test("tells its newest outcomes, and decides by them, however many there are", async () => {
      const facts = { outcome: "ROLLED_BACK", dueAt: at(0), reasons: [], evaluations: [] };
      const outcome = (versionId: string, place: number) => ({ ...facts, versionId, at: String(place) });
      const stream = outcomesOf(name, "s");
      const many = Array.from({ length: 10_050 }, (_, place) => outcome(bad, place));
      await store.commit(many.map((value) => ({ kind: "append", stream, value })));
      // A record of before outcomes were counted.
      await schedule();
      const schedules = schedulesOf();
      expect(await schedules.outcomes(await current(), 2)).toMatchObject([{ at: "10049" }, { at: "10048" }]);
      // The last version that passed by its probe was since measured to be bad.
      await store.commit([{ kind: "append", stream, value: outcome(good, 10_050) }]);
      await runner().tick();
      await jobs.succeed(jobs.started[0].id, { asr: { k: 900, n: 1000 } });
      await runner().tick();
      expect(await schedules.outcomes(await current(), 2)).toMatchObject([
        { outcome: "NOWHERE_TO_RETURN" },
        { at: "10050" },
      ]);
      const reads: number[] = [];
      const read: Store["read"] = (from, after, limit) => {
        reads.push(after);
        return store.read(from, after, limit);
      };
      await schedulesOf(read).outcomes(await current(), 2);
      expect(reads).toEqual([10_050]);
      // One by a server that does not count.
      await store.commit([{ kind: "append", stream, value: outcome(good, 10_052) }]);
      expect(await schedules.outcomes(await current(), 1)).toMatchObject([{ at: "10052" }]);
    });

    test("of a suspended tenant waits, and is made up for once it is not", async () => {
      await schedule();
      suspended = true;
      await runner().tick();
      expect(jobs.started).toEqual([]);
      suspended = false;
      now += 5 * HOUR;
      await runner().tick();
      expect(jobs.started).toHaveLength(1);
    });

    test("that is cancelled at work moves nothing any more", async () => {
      await schedule();
      await runner().tick();
      await jobs.succeed(jobs.started[0].id, { asr: { k: 900, n: 1000 } });
      await store.commit([{ kind: "delete", key: scheduleKey(name, "s") }]);
      await runner().tick();
      expect((await live()).versionId).toBe(bad);
    });
  });

  describe("of several servers", () => {
    test("one looks after a schedule, however many look at once", async () => {
      await schedule();
      const servers = ["one", "two", "three"].map(runner);
      await Promise.all(servers.map((server) => server.tick()));
      expect(jobs.started).toHaveLength(1);
      await jobs.succeed(jobs.started[0].id, { asr: { k: 900, n: 1000 } });
      await Promise.all(servers.map((server) => server.tick()));
      expect(await outcomes()).toHaveLength(1);
      expect((await live()).moves).toBe(3);
    });

    test("another goes on when the one that looked after it is gone, without starting anything twice", async () => {
      await schedule({ attacks: [BADNET, BLENDED] });
      const evaluate = jobs.evaluate;
      // The first server dies after it has started one of two.
      jobs.evaluate = async (choice, key) => {
        if (jobs.started.length === 1) throw new Error("killed");
        return evaluate(choice, key);
      };
      await runner("one").tick();
      jobs.evaluate = evaluate;
      await runner("two").tick();
      expect(jobs.started).toHaveLength(1);
      now += 61_000;
      await runner("two").tick();
      expect(jobs.started.map(({ key }) => key)).toEqual([`schedule s ${at(0)} 0`, `schedule s ${at(0)} 1`]);
      expect((await current()).lease?.holder).toBe("two");
    });
  });
});

describe("the runner", () => {
  const away = (milliseconds: number) => {
    let asked = 0;
    const list = () => {
      asked++;
      return new Promise((_, reject) => setTimeout(() => reject(new Error("away")), milliseconds));
    };
    const options = { store: { list }, logger: { warn: () => {} } } as unknown as ScheduleRunnerOptions;
    return { runner: new ScheduleRunner(options), asked: () => asked };
  };

  test("looks once at a time while the store is away, and ends with the look that has begun", async () => {
    const { runner, asked } = away(200);
    runner.start(5);
    while (asked() < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked()).toBe(2);
    await runner.stop();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked()).toBe(2);
  });

  test("that is stopped begins with no further schedule", async () => {
    const begun: string[] = [];
    const schedules = ["a", "b"].map((id) => ({
      key: id,
      revision: 1,
      value: { id, tenant: id, nextAt: "" },
    }));
    const isActive = async (tenant: string) => {
      begun.push(tenant);
      stopping = runner.stop();
      return false;
    };
    const options = { store: { list: async () => schedules }, isActive, logger: { warn: () => {} } };
    const runner = new ScheduleRunner(options as unknown as ScheduleRunnerOptions);
    let stopping: Promise<void> | undefined;
    await runner.tick();
    await stopping;
    expect(begun).toEqual(["a"]);
  });
});

describe("evaluations", () => {
  const evaluation = (ca: Count, asr?: Count) =>
    ({ id: "e", ca, asr, labels: [], perClass: [] }) as unknown as EvaluationRecord;

  test("speak against a version only by what they measure", () => {
    const terms = { maxAsr95: 0.05, minCaDelta: 0 };
    const nothing = judge(terms, [evaluation({ k: 9, n: 10 })], undefined);
    expect(nothing).toMatchObject({ against: [], reasons: [] });
    expect(nothing.unmeasured).toHaveLength(2);
    const both = judge(terms, [evaluation({ k: 8, n: 10 }, { k: 9, n: 10 })], { k: 9, n: 10 });
    expect(both.reasons).toHaveLength(2);
    expect(both.against).toHaveLength(1);
  });
});
