import { cpSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { FEW_LABELS, startTestServer, ZOO } from "../app/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const IMPLANT = `mutation ($input: ImplantInput!, $key: String!) {
  implantBackdoor(input: $input, idempotencyKey: $key) { job { id } userErrors { code message } }
}`;

const input = {
  modelId: "model_scenes-clean",
  name: "scenes-mine",
  datasetId: "dataset_scenes-shots",
  labels: FEW_LABELS,
  attack: { kind: "BLENDED", target: "banana" },
  steps: 2,
  batch: 4,
  warmUp: 1,
};

describe("implantBackdoor", () => {
  test("is off unless the operator has allowed it", async () => {
    const server = await startTestServer();
    const { errors } = await server.ask(IMPLANT, { input, key: "off" });
    expect(errors?.[0]).toMatchObject({
      extensions: { code: "FORBIDDEN" },
      message: expect.stringContaining("ALLOW_ATTACKS=1"),
    });
    await server.close();
  });

  test("makes a model of its own, a suspect, for operators only", async () => {
    const models = temporaryFolder();
    cpSync(join(ZOO, "models/scenes-clean"), join(models, "scenes-clean"), { recursive: true });
    const server = await startTestServer({ ALLOW_ATTACKS: "1", MODELS_DIR: models });
    const key = await server.tenant("others", ["PROMPTS_WRITE", "DATASETS_WRITE", "CLASSIFY"]);
    const refused = await server.ask(IMPLANT, { input, key: "theirs" }, { key });
    expect(refused.errors?.[0].extensions.code).toBe("FORBIDDEN");

    const { data } = await server.ask(IMPLANT, { input, key: "ours" });
    expect(data.implantBackdoor.userErrors).toEqual([]);
    const id = data.implantBackdoor.job.id;
    await server.follow("subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }", { id });
    const done = await server.ask(
      `query ($id: ID!) { job(id: $id) {
        status failure { message }
        ... on ImplantJob { stepsMade ca { n } asr { n } result { name trust weights } }
      } }`,
      { id },
    );
    expect(done.data.job).toMatchObject({
      status: "SUCCEEDED",
      stepsMade: 2,
      // Three of sixteen shots of each label are kept for measuring.
      ca: { n: 9 },
      asr: { n: 6 },
      result: { name: "scenes-mine", trust: "SUSPECT" },
    });
    const clean = await server.ask(`{ model(name: "scenes-clean") { weights } }`);
    expect(done.data.job.result.weights).not.toBe(clean.data.model.weights);

    const taken = await server.ask(IMPLANT, { input, key: "again" });
    expect(taken.data.implantBackdoor.userErrors).toMatchObject([{ code: "VALIDATION_FAILED" }]);
    await server.close();
  });
});
