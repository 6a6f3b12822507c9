import { beforeAll, describe, expect, test } from "@jest/globals";
import { purifyQuickly, startTestServer, type TestServer } from "../app/server.ts";

const SCHEDULE = `mutation ($input: ScheduleEvaluationInput!, $idempotencyKey: String) {
  scheduleEvaluation(input: $input, idempotencyKey: $idempotencyKey) {
    schedule { id promptSet alias everySeconds maxAsr95 minCaDelta by nextAt attacks { kind target parameters } dataset { name } }
    userErrors { code message }
  }
}`;
const CANCEL = `mutation ($id: ID!) { cancelSchedule(id: $id) { userErrors { code } } }`;

let server: TestServer;
let good: string;

beforeAll(async () => {
  server = await startTestServer({}, { scheduleMilliseconds: 50 });
  // A single epoch costs a third of the accuracy; so many do not.
  good = await purifyQuickly(server, "shop", "good", { epochs: 60 });
});

const given = (more: object = {}) => ({
  ref: { promptSet: "shop" },
  datasetId: "dataset_scenes-shots",
  everySeconds: 3600,
  gate: { minCaDelta: -0.3 },
  ...more,
});

const schedule = async (more?: object, key?: string) =>
  (await server.ask(SCHEDULE, { input: given(more) }, key ? { key } : {})).data.scheduleEvaluation;

/** The first outcome, as soon as there is one. */
async function outcomeOf(id: string) {
  for (;;) {
    const { data } = await server.ask(
      `query ($id: ID!) { node(id: $id) { ... on Schedule { nextAt outcomes {
        outcome reasons version { id } to { id } evaluations { id ca { k n } asr { n } }
      } } } }`,
      { id },
    );
    if (data.node.outcomes.length > 0) return data.node;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe("a scheduled evaluation", () => {
  test("is made by itself with real jobs, and lets a version stay that passes", async () => {
    const attacks = [{ kind: "BADNET", target: "banana", parameters: { size: 8 } }];
    const { schedule: made } = await schedule({ attacks, gate: { maxAsr95: 1, minCaDelta: -0.3 } });
    expect(made).toMatchObject({
      promptSet: "shop",
      alias: "live",
      everySeconds: 3600,
      maxAsr95: 1,
      minCaDelta: -0.3,
      by: "admin",
      dataset: { name: "scenes-shots" },
    });
    expect(made.attacks).toEqual(attacks);
    const { outcomes, nextAt } = await outcomeOf(made.id);
    expect(outcomes).toMatchObject([
      {
        outcome: "PASSED",
        reasons: [],
        version: { id: good },
        to: null,
        evaluations: [{ ca: { n: 48 }, asr: { n: 32 } }],
      },
    ]);
    expect(Date.parse(nextAt)).toBeGreaterThan(Date.now());
  });

  test("moves the alias back from a version that does not hold what the gate asks", async () => {
    const poor = await purifyQuickly(server, "shop", "poor");
    const { schedule: made } = await schedule();
    const { outcomes } = await outcomeOf(made.id);
    expect(outcomes).toMatchObject([
      {
        outcome: "ROLLED_BACK",
        version: { id: poor },
        to: { id: good },
        reasons: [expect.stringContaining("Clean accuracy changes")],
      },
    ]);
    const { data } = await server.ask(
      `{ promptSet(name: "shop") { aliases { version { id } history(first: 1) { by from reason evidence { id } } } schedules { id } } }`,
    );
    const [alias] = data.promptSet.aliases;
    expect(alias.version.id).toBe(good);
    expect(alias.history).toMatchObject([
      {
        from: poor,
        reason: expect.stringContaining("scheduled evaluation"),
        evidence: { id: outcomes[0].evaluations[0].id },
      },
    ]);
    expect(data.promptSet.schedules).toHaveLength(2);
  });

  test("is made once for a key, however often it is asked for", async () => {
    const later = { startAt: "2100-01-01T00:00:00.000Z" };
    const ask = async (idempotencyKey: string, more: object = later) =>
      (await server.ask(SCHEDULE, { input: given(more), idempotencyKey })).data.scheduleEvaluation;
    const [first, second] = await Promise.all([ask("once"), ask("once")]);
    expect(first.userErrors).toEqual([]);
    expect(second.schedule).toEqual(first.schedule);
    expect((await ask("once")).schedule.id).toBe(first.schedule.id);
    expect((await ask("twice")).schedule.id).not.toBe(first.schedule.id);
    expect((await ask("once", { ...later, everySeconds: 7200 })).userErrors).toMatchObject([
      { code: "IDEMPOTENCY_CONFLICT" },
    ]);
    expect((await ask("")).userErrors).toMatchObject([{ code: "VALIDATION_FAILED" }]);
    await server.ask(CANCEL, { id: first.schedule.id });
    expect((await ask("once")).userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
  });

  test("can be cancelled, by its own tenant only", async () => {
    const { schedule: made } = await schedule({ startAt: "2100-01-01T00:00:00Z" });
    expect(made.nextAt).toBe("2100-01-01T00:00:00.000Z");
    const cancel = `mutation ($id: ID!) { cancelSchedule(id: $id) { schedule { id } userErrors { code } } }`;
    const key = await server.tenant("stranger", ["PROMPTS_WRITE"]);
    const theirs = await server.ask(cancel, { id: made.id }, { key });
    expect(theirs.data.cancelSchedule).toEqual({ schedule: null, userErrors: [{ code: "NOT_FOUND" }] });
    expect((await server.ask(`{ node(id: "${made.id}") { id } }`, {}, { key })).data.node).toBeNull();
    const mine = await server.ask(cancel, { id: made.id });
    expect(mine.data.cancelSchedule).toEqual({ schedule: { id: made.id }, userErrors: [] });
    expect((await server.ask(`{ node(id: "${made.id}") { id } }`)).data.node).toBeNull();
  });

  const cases: [string, object, string, string][] = [
    ["of an alias that is nowhere", { ref: { promptSet: "shop", alias: "x" } }, "NOT_FOUND", "no alias"],
    ["on an unknown dataset", { datasetId: "dataset_nothing" }, "NOT_FOUND", "no dataset"],
    ["too often", { everySeconds: 59 }, "VALIDATION_FAILED", "from 60 to"],
    ["without a term", { gate: {} }, "VALIDATION_FAILED", "no term"],
    ["with an impossible term", { gate: { minCaDelta: -2 } }, "VALIDATION_FAILED", "from -1 to 1"],
    [
      "of an attack's success without an attack",
      { gate: { maxAsr95: 0.1 } },
      "VALIDATION_FAILED",
      "needs an attack",
    ],
    [
      "with a target that is no label",
      { attacks: [{ kind: "BADNET", target: "castle" }] },
      "VALIDATION_FAILED",
      "not among the labels",
    ],
    [
      "with parameters that there are not",
      { attacks: [{ kind: "BADNET", target: "apple", parameters: { colour: 1 } }] },
      "VALIDATION_FAILED",
      "colour",
    ],
  ];

  test.each(cases)("%s is refused", async (_what, more, code, message) => {
    const { schedule: made, userErrors } = await schedule(more);
    expect(made).toBeNull();
    expect(userErrors).toMatchObject([{ code, message: expect.stringContaining(message) }]);
  });

  test("of another tenant's alias is refused as one that is not there", async () => {
    const key = await server.tenant("other", ["PROMPTS_WRITE"]);
    expect((await schedule({}, key)).userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
  });
});
