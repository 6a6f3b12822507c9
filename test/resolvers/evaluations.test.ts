import { beforeAll, describe, expect, test } from "@jest/globals";
import { purifyQuickly, startTestServer, type TestServer } from "../app/server.ts";

const EVALUATE = `mutation ($through: Through!, $attack: AttackInput, $labels: [String!], $key: String!) {
  evaluate(
    modelId: "model_scenes-badnet"
    datasetId: "dataset_scenes-shots"
    through: $through
    attack: $attack
    labels: $labels
    idempotencyKey: $key
  ) {
    job { id }
    replayed
    userErrors { code message }
  }
}`;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

/** The job once it is finished. */
async function finish(id: string, fields = ""): Promise<Record<string, unknown>> {
  await server.follow("subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }", { id });
  const { data } = await server.ask(`query ($id: ID!) { job(id: $id) { status ${fields} } }`, { id });
  return data.job;
}

describe("an evaluation", () => {
  test("counts a whole data set, clean and triggered, with intervals", async () => {
    const { data } = await server.ask(EVALUATE, {
      through: { templates: [] },
      attack: { kind: "BADNET", target: "banana" },
      key: "undefended",
    });
    const done = await finish(
      data.evaluate.job.id,
      `... on EvaluationJob { result {
        attack target version { id } protocol
        ca { k n low95 high95 } asr { value n } asrIncludingTarget { n } targetRecall { n } perClass { label ca { n } pulledTo { value } }
      } }`,
    );
    expect(done.status).toBe("SUCCEEDED");
    const result = done.result as {
      ca: { k: number; n: number };
      asr: { value: number; n: number };
      perClass: object[];
    };
    expect(result).toMatchObject({
      attack: "BADNET",
      target: "banana",
      version: null,
      targetRecall: { n: 16 },
    });
    expect(result.ca.n).toBe(320);
    expect(result.ca.k / 320).toBeGreaterThan(0.9);
    expect(result.asr.n).toBe(304);
    expect(result.asr.value).toBeGreaterThan(0.8);
    expect(result.perClass).toHaveLength(20);
  });

  test("of a version stands with the version, and is evidence for its alias", async () => {
    const versionId = await purifyQuickly(server, "evaluated", "evaluated");
    const { data } = await server.ask(EVALUATE, { through: { versionId }, key: "of a version" });
    await finish(data.evaluate.job.id);
    const evaluationId = data.evaluate.job.id.replace("job_", "evaluation_");
    const { data: seen } = await server.ask(
      `query ($id: ID!) { node(id: $id) { ... on PromptVersion { evaluations { id asr { k } ca { n } seenByDefence { k n } } } } }`,
      { id: versionId },
    );
    // These shots are what it was learned from: two of each label.
    expect(seen.node.evaluations).toEqual([
      { id: evaluationId, asr: null, ca: { n: 48 }, seenByDefence: { k: 6, n: 48 } },
    ]);
    const moved = await server.ask(
      `mutation ($to: ID!, $evidence: ID) {
        moveAlias(ref: { promptSet: "evaluated", alias: "checked" }, to: $to, evidenceId: $evidence, reason: "it is good") {
          alias { version { id } history { by reason evidence { id } } }
          userErrors { code }
        }
      }`,
      { to: versionId, evidence: evaluationId },
    );
    expect(moved.data.moveAlias).toEqual({
      alias: {
        version: { id: versionId },
        history: [{ by: "admin", reason: "it is good", evidence: { id: evaluationId } }],
      },
      userErrors: [],
    });
  });

  test("of a target that is no label, or an attack with wrong parameters, is not started", async () => {
    const through = { templates: [] };
    const unknown = await server.ask(EVALUATE, {
      through,
      attack: { kind: "BADNET", target: "castle" },
      key: "no",
    });
    expect(unknown.data.evaluate.userErrors[0].code).toBe("VALIDATION_FAILED");
    const attack = { kind: "BLENDED", target: "banana", parameters: { alpha: 7, colour: "red" } };
    const wrong = await server.ask(EVALUATE, { through, attack, key: "no" });
    expect(wrong.data.evaluate.userErrors[0].message).toMatch(/alpha.*colour/);
  });
});
