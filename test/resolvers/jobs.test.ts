import { beforeAll, describe, expect, test } from "@jest/globals";
import {
  FEW_LABELS,
  PURIFY,
  purifyQuickly,
  QUICK,
  quickPurification,
  startTestServer,
  type TestServer,
} from "../app/server.ts";

const EVENTS = `subscription ($id: ID!, $after: Int) {
  jobEvents(jobId: $id, afterSeq: $after) {
    __typename
    seq
    at
    ... on StatusChanged { status }
    ... on StepMetrics { phase progress losses { name value } }
    ... on CheckpointSaved { checkpoint { epoch ca { k n value low95 high95 } } }
    ... on LogLine { level text }
  }
}`;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

const purify = async (input: object, key: string, more = {}) =>
  (await server.ask(PURIFY, { input, key, ...more })).data.purify;

async function finish(id: string, fields = ""): Promise<Record<string, unknown>> {
  await server.follow(EVENTS, { id });
  const { data } = await server.ask(
    `query ($id: ID!) { job(id: $id) { status failure { code message } ${fields} } }`,
    { id },
  );
  return data.job;
}

describe("a purification", () => {
  test("makes a version, promotes it, and tells of it", async () => {
    const versionId = await purifyQuickly(server, "story", "story");
    const { data } = await server.ask(`{
      promptSet(name: "story") {
        aliases { name version { id } history { by from to reason } }
        versions { totalCount edges { node {
          id number digest labels
          model { name }
          job { status config { epochs shots mode position } audit { verdict classes { label } } gate { passed alias } checkpoints { epoch } }
          classes { totalCount edges { node { label tokens position shift } } }
          probe { ca { n } }
          lineage { seed device weights }
          artifact { url bytes digest format }
        } } }
      }
    }`);
    const { aliases, versions } = data.promptSet;
    expect(aliases).toMatchObject([{ name: "live", version: { id: versionId } }]);
    expect(aliases[0].history).toMatchObject([
      { by: expect.stringMatching(/^job /), from: null, to: versionId },
    ]);
    expect(versions.totalCount).toBe(1);
    const { node } = versions.edges[0];
    expect(node).toMatchObject({
      id: versionId,
      number: 1,
      labels: FEW_LABELS,
      model: { name: "scenes-badnet" },
    });
    expect(node.digest).toContain(versionId.replace("version_", ""));
    expect(node.job).toMatchObject({
      status: "SUCCEEDED",
      config: { epochs: 1, shots: 2, mode: "UNIVERSAL", position: "END" },
      gate: { passed: true, alias: "live" },
      checkpoints: [{ epoch: 1 }],
    });
    expect(node.job.audit.classes).toHaveLength(3);
    expect(node.classes.totalCount).toBe(3);
    expect(node.lineage).toMatchObject({ seed: 1, device: "cpu" });

    const bundle = await server.fetch(node.artifact.url, {
      headers: { authorization: "Bearer the-admin-key-of-the-tests" },
    });
    const bytes = Buffer.from(await bundle.arrayBuffer());
    expect(bytes.length).toBe(node.artifact.bytes);
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString());
    expect(Object.keys(header).sort()).toEqual(["__metadata__", "contexts", "text_features"]);
    expect(JSON.parse(header.__metadata__.manifest)).toMatchObject({
      labels: FEW_LABELS,
    });
  });

  test("with the same seed makes the same version, and no second one", async () => {
    const [first, second] = [
      await purifyQuickly(server, "again", "once"),
      await purifyQuickly(server, "again", "twice"),
    ];
    expect(second).toBe(first);
    const { data } = await server.ask(
      `{ promptSet(name: "again") { versions { totalCount } aliases { history { to } } } }`,
    );
    expect(data.promptSet.versions.totalCount).toBe(1);
  });

  test("that does not pass its gate is a version, and not promoted", async () => {
    const input = { ...quickPurification("gated"), seed: 7, gate: { minCaDelta: 1 } };
    const { job } = await purify(input, "gated");
    const done = await finish(
      job.id,
      "... on PurificationJob { result { number } gate { passed alias reasons } }",
    );
    expect(done).toMatchObject({
      status: "SUCCEEDED",
      result: { number: 1 },
      gate: { passed: false, alias: "live" },
    });
    const { data } = await server.ask(`{ promptSet(name: "gated") { aliases { name } } }`);
    expect(data.promptSet.aliases).toEqual([]);
    const events = await server.follow(EVENTS, { id: job.id });
    expect(events.map(({ data }) => data.jobEvents.text).filter(Boolean)).toEqual([
      expect.stringContaining("GATE_FAILED"),
    ]);
  });

  test("can be tried dry: everything is checked, nothing is made", async () => {
    const good = await purify(quickPurification("dry"), "dry", { dryRun: true });
    expect(good).toEqual({ job: null, replayed: false, userErrors: [] });
    expect((await server.ask(`{ promptSet(name: "dry") { id } }`)).data.promptSet).toBeNull();
    const bad = await purify({ ...quickPurification("dry"), epochs: 0, alpha: -1 }, "dry", { dryRun: true });
    expect(bad.userErrors[0].message).toMatch(/epochs.*alpha|alpha.*epochs/);
  });

  const cases: [string, object, string][] = [
    ["an unknown model", { modelId: "model_nothing" }, "NOT_FOUND"],
    ["an id of another kind", { modelId: "dataset_scenes-shots" }, "NOT_FOUND"],
    ["an unknown data set", { datasetId: "dataset_nothing" }, "NOT_FOUND"],
    ["labels without shots", { labels: ["apple", "castle"] }, "VALIDATION_FAILED"],
    ["a single label", { labels: ["apple"] }, "VALIDATION_FAILED"],
    ["no shots", { shots: 0 }, "VALIDATION_FAILED"],
    ["more warm-up than epochs", { epochs: 1, warmupEpochs: 2 }, "VALIDATION_FAILED"],
    ["an unknown target", { targets: ["apple", "castle"] }, "VALIDATION_FAILED"],
    ["a single target", { targets: ["apple"] }, "VALIDATION_FAILED"],
    ["a target that is given twice", { targets: ["apple", "apple"] }, "VALIDATION_FAILED"],
    [
      "targets in the published mode",
      { targets: ["apple", "house"], mode: "PUBLISHED" },
      "VALIDATION_FAILED",
    ],
    ["a template without a place", { templates: ["a photo"] }, "VALIDATION_FAILED"],
    ["a prompt set that is no name", { promptSet: "a/b" }, "VALIDATION_FAILED"],
    ["an impossible gate", { gate: { maxAsr95: 2 } }, "VALIDATION_FAILED"],
  ];

  test.each(cases)("with %s is not started", async (_what, change, code) => {
    const { job, userErrors } = await purify({ ...quickPurification("never"), ...change }, "never");
    expect(job).toBeNull();
    expect(userErrors[0].code).toBe(code);
  });
});

describe("an idempotency key", () => {
  test("with the same input answers the first job, also when all come at once", async () => {
    const input = { ...quickPurification("idempotent"), seed: 11 };
    const answers = await Promise.all(Array.from({ length: 5 }, () => purify(input, "same")));
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    await finish(answers[0].job.id);
    expect(await purify(input, "same")).toMatchObject({ replayed: true, job: { status: "SUCCEEDED" } });
  });

  test("with other input is a conflict", async () => {
    const input = quickPurification("idempotent");
    const { job, userErrors } = await purify({ ...input, seed: 12 }, "same");
    expect([job, userErrors[0].code]).toEqual([null, "IDEMPOTENCY_CONFLICT"]);
  });

  test("of another tenant is another key", async () => {
    const key = await server.tenant("keyed", ["PROMPTS_WRITE"]);
    const { data } = await server.ask(PURIFY, { input: quickPurification("x"), key: "same" }, { key });
    expect(data.purify.userErrors[0].code).toBe("NOT_FOUND");
  });
});

describe("a job's events", () => {
  test("are told from the beginning, from the middle, and the same to everyone", async () => {
    const input = { modelId: "model_scenes-badnet", datasetId: "dataset_scenes-shots", ...QUICK };
    const { data } = await server.ask(
      `mutation ($input: AuditInput!) { audit(input: $input, idempotencyKey: "events") { job { id } userErrors { message } } }`,
      { input },
    );
    const { id } = data.audit.job;
    const live = await server.follow(EVENTS, { id });
    const events = live.map(({ data }) => data.jobEvents);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.map(({ status }) => status).filter(Boolean)).toEqual([
      "QUEUED",
      "VALIDATING",
      "RUNNING",
      "SUCCEEDED",
    ]);
    expect(events.at(-1).status).toBe("SUCCEEDED");
    expect(await server.follow(EVENTS, { id })).toEqual(live);
    expect(await server.follow(EVENTS, { id, after: 3 })).toEqual(live.slice(3));
    const stored = await server.ask(
      `query ($id: ID!) { job(id: $id) { events(afterSeq: 1, first: 2) { seq } } }`,
      { id },
    );
    expect(stored.data.job.events).toEqual([{ seq: 2 }, { seq: 3 }]);
    const { verdict, classes } = (
      await server.ask(
        `query ($id: ID!) { job(id: $id) { ... on AuditJob { result { verdict classes { label pulled { n } } } } } }`,
        { id },
      )
    ).data.job.result;
    expect(["SUSPECT", "NOTHING_FOUND"]).toContain(verdict);
    expect(classes).toHaveLength(3);
  });

  test("of an unknown job are an error", async () => {
    const [answer] = await server.follow(EVENTS, { id: "job_nothing" });
    expect(answer.errors?.[0].extensions.code).toBe("NOT_FOUND");
  });
});

describe("a job that is cancelled", () => {
  test("stops, and goes on where it was when it is resumed", async () => {
    const input = { ...quickPurification("cancelled"), innerSteps: 400, epochs: 2 };
    const { job } = await purify(input, "cancelled");
    const cancelled = await server.ask(
      `mutation ($id: ID!) { cancelJob(id: $id) { job { status } userErrors { code } } }`,
      {
        id: job.id,
      },
    );
    expect(cancelled.data.cancelJob.userErrors).toEqual([]);
    expect(await finish(job.id)).toMatchObject({ status: "CANCELLED" });
    const resumed = await server.ask(
      `mutation ($id: ID!) { resumeJob(id: $id) { job { status } userErrors { code } } }`,
      {
        id: job.id,
      },
    );
    expect(resumed.data.resumeJob.userErrors).toEqual([]);
    await server.ask(`mutation ($id: ID!) { cancelJob(id: $id) { job { status } } }`, { id: job.id });
    await finish(job.id);
    const done = await server.ask(`mutation { resumeJob(id: "job_nothing") { userErrors { code } } }`);
    expect(done.data.resumeJob.userErrors[0].code).toBe("NOT_FOUND");
  });
});
