import { beforeAll, expect, test } from "@jest/globals";
import { QUICK, quickPurification, startTestServer, type TestServer } from "../app/server.ts";

const PLAN = `{
  device threads images flops seconds peakMemoryBytes savedStateBytes artifactBytes assumptions
  phases { name steps images flops seconds }
  calibration { imageFlopsPerSecond gradientFlopsPerSecond textFlopsPerSecond epochSeconds decodeSeconds measuredAt }
}`;
const PURIFY = `mutation ($input: PurifyInput!) {
  purify(input: $input, idempotencyKey: "dry", dryRun: true) { job { id } plan ${PLAN} replayed userErrors { code path } }
}`;
const AUDIT = `mutation ($input: AuditInput!) {
  audit(input: $input, idempotencyKey: "dry", dryRun: true) { job { id } plan ${PLAN} replayed userErrors { code path } }
}`;

interface Phase {
  readonly name: string;
  readonly steps: number;
  readonly images: number;
  readonly flops: number;
  readonly seconds: number;
}

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});

test("a dry run tells what a purification would take, and starts nothing", async () => {
  const input = { ...quickPurification("dry"), gratingCycles: 0 };
  const { plan, ...rest } = (await server.ask(PURIFY, { input })).data.purify;
  expect(rest).toEqual({ job: null, replayed: false, userErrors: [] });
  expect(plan.phases.map(({ name }: Phase) => name)).toEqual([
    "prepare",
    "invert",
    "count",
    "gratings",
    "fallback",
    "words",
    "refine",
    "encode",
    "tune",
    "recover",
  ]);
  expect(plan).toMatchObject({ device: "CPU", threads: 1 });
  // More than a trigger of each label with its velocity: a suspect has one of each family.
  expect(plan.savedStateBytes).toBeGreaterThan(3 * 3 * 64 * 64 * 8);
  for (const total of ["images", "flops", "seconds"] as const) {
    const sum = plan.phases.reduce((all: number, phase: Phase) => all + phase[total], 0);
    expect(plan[total] / sum).toBeCloseTo(1, 9);
    expect(plan[total]).toBeGreaterThan(0);
  }
  // A Node process with some programs, and no more than that: there are six small shots.
  expect(plan.peakMemoryBytes).toBeGreaterThan(50 * 2 ** 20);
  expect(plan.peakMemoryBytes).toBeLessThan(2 ** 30);
  for (const rate of ["imageFlopsPerSecond", "gradientFlopsPerSecond", "textFlopsPerSecond"])
    expect(plan.calibration[rate]).toBeGreaterThan(1e6);
  expect((await server.ask(`{ jobs { id } promptSet(name: "dry") { id } }`)).data).toEqual({
    jobs: [],
    promptSet: null,
  });

  const again = (await server.ask(PURIFY, { input: { ...input, epochs: 2 } })).data.purify.plan;
  expect(again.calibration).toEqual(plan.calibration);
  const tuning = (of: typeof plan) => of.phases.at(-1).steps;
  expect(tuning(again)).toBe(2 * tuning(plan));
});

test("a dry run of an audit plans the search alone", async () => {
  const input = { modelId: "model_scenes-badnet", datasetId: "dataset_scenes-shots", ...QUICK };
  const { job, plan, userErrors } = (await server.ask(AUDIT, { input })).data.audit;
  expect([job, userErrors]).toEqual([null, []]);
  expect(plan.phases.at(-1).name).toBe("refine");
  const fewer = await server.ask(AUDIT, { input: { ...input, targets: ["apple", "house"] } });
  const inverted = (of: typeof plan) => of.phases.find(({ name }: Phase) => name === "invert").images;
  expect(inverted(fewer.data.audit.plan)).toBe(inverted(plan) / 2);
  expect(plan.assumptions).toEqual([expect.stringContaining("one class is suspected")]);
  expect((await server.ask(`{ jobs { id } }`)).data.jobs).toEqual([]);
});

const DEFEND = `mutation ($input: DefendInput!) {
  defend(input: $input, idempotencyKey: "dry", dryRun: true) {
    job { id } plan ${PLAN} replayed userErrors { code path }
  }
}`;
const suspect = {
  modelId: "model_scenes-badnet",
  datasetId: "dataset_scenes-shots",
  labels: QUICK.labels,
  shots: QUICK.shots,
};

test.each([
  ["COOP", { promptSet: "dry" }, "tune"],
  ["FT", { name: "dry" }, "fine-tune"],
])(
  "a dry run of the defence %s tells what it would take, and makes nothing",
  async (defence, place, phase) => {
    const planOf = async (epochs: number) => {
      const input = { ...suspect, ...place, defence, parameters: { epochs, batchSize: 2 } };
      const { plan, ...rest } = (await server.ask(DEFEND, { input })).data.defend;
      expect(rest).toEqual({ job: null, replayed: false, userErrors: [] });
      return plan;
    };
    const [plan, longer] = [await planOf(1), await planOf(3)];
    expect(plan.phases.map(({ name }: Phase) => name)).toEqual(["prepare", phase]);
    // Six shots of three labels, two in a step.
    expect([plan.phases[1].steps, longer.phases[1].steps]).toEqual([3, 9]);
    expect(longer.seconds).toBeGreaterThan(plan.seconds);
    expect(longer.calibration).toEqual(plan.calibration);
    for (const bytes of ["peakMemoryBytes", "savedStateBytes", "artifactBytes"])
      expect(plan[bytes]).toBeGreaterThan(0);
    const { jobs, promptSet, models } = (
      await server.ask(`{ jobs { id } promptSet(name: "dry") { id } models { name } }`)
    ).data;
    expect([jobs, promptSet]).toEqual([[], null]);
    expect(models).not.toContainEqual({ name: "dry" });
  },
);

test("a dry run of a defence that has no place for what it makes says so", async () => {
  const input = { ...suspect, defence: "FT", promptSet: "dry" };
  const { plan, userErrors } = (await server.ask(DEFEND, { input })).data.defend;
  expect(plan).toBeNull();
  expect(userErrors).toEqual([{ code: "VALIDATION_FAILED", path: ["input", "name"] }]);
});

test.each([
  [{ epochs: 0 }, "epochs"],
  [{ innerSteps: 0, stepSize: 0 }, "innerSteps"],
  [{ modelId: "model_absent" }, "modelId"],
  [{ datasetId: "dataset_absent" }, "datasetId"],
  [{ promptSet: "not a name!" }, "promptSet"],
  [{ shots: 0 }, "shots"],
  [{ labels: ["apple", "zebra"] }, "labels"],
  [{ templates: ["without a place"] }, "templates"],
  [{ targets: ["apple"] }, "targets"],
  [{ gate: { promoteAlias: "not a name!" } }, "gate"],
])("a dry run of what cannot be done says why, and which field is meant: %j", async (wrong, field) => {
  const input = { ...quickPurification("dry"), ...wrong };
  const { plan, userErrors } = (await server.ask(PURIFY, { input })).data.purify;
  expect(plan).toBeNull();
  expect(userErrors).toEqual([{ code: expect.any(String), path: ["input", field] }]);
});
