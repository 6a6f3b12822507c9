import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { FEW_LABELS, startTestServer, ZOO } from "../app/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const IMPLANT = `mutation ($input: ImplantInput!, $key: String!) {
  implantBackdoor(input: $input, idempotencyKey: $key) { job { id } userErrors { code message } }
}`;

const EVALUATE = `mutation ($modelId: ID!, $attack: AttackInput, $key: String!) {
  evaluate(modelId: $modelId, through: { templates: ["a photo of a {}."] }, attack: $attack,
    labels: ["apple", "banana", "house"], datasetId: "dataset_scenes-shots", idempotencyKey: $key) { job { id } userErrors { code message } }
}`;
const EVALUATED = `query ($id: ID!) {
  job(id: $id) { status failure { code } ... on EvaluationJob { result { asr { n } } } }
}`;
const PREVIEW = `query ($kind: AttackKind!, $trigger: ID) {
  previewAttack(kind: $kind, trigger: $trigger, image: { assetId: "asset_boat" }) { triggered psnr }
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

  test("fails before it begins where the models folder cannot be written", async () => {
    const models = temporaryFolder();
    cpSync(join(ZOO, "models/scenes-clean"), join(models, "scenes-clean"), { recursive: true });
    // Nobody can make a folder in a file, not even root.
    writeFileSync(join(models, ".antidote"), "");
    const server = await startTestServer({ ALLOW_ATTACKS: "1", MODELS_DIR: models });
    const { data } = await server.ask(IMPLANT, { input, key: "unwritable" });
    const { id } = data.implantBackdoor.job;
    const events = await server.follow("subscription ($id: ID!) { jobEvents(jobId: $id) { __typename } }", {
      id,
    });
    const told = events.map((event) => event.data.jobEvents.__typename);
    expect(new Set(told)).toEqual(new Set(["StatusChanged"]));
    const done = await server.ask("query ($id: ID!) { job(id: $id) { status failure { code message } } }", {
      id,
    });
    expect(done.data.job).toMatchObject({
      status: "FAILED",
      failure: { code: "INVALID_CONFIGURATION", message: expect.stringContaining("MODELS_DIR") },
    });
    await server.close();
  });

  test("fits its trigger, which evaluations and previews of the same tenant can name", async () => {
    const models = temporaryFolder();
    cpSync(join(ZOO, "models/scenes-clean"), join(models, "scenes-clean"), { recursive: true });
    const server = await startTestServer({ ALLOW_ATTACKS: "1", MODELS_DIR: models });
    const attack = { kind: "BADCLIP", target: "banana" };
    const poison = { ...input, attack, fit: { steps: 2, batch: 4, images: 6 } };
    const started = await server.ask(IMPLANT, { input: poison, key: "fitted" });
    expect(started.data.implantBackdoor.userErrors).toEqual([]);
    const job = started.data.implantBackdoor.job.id;
    const ended = "subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }";
    await server.follow(ended, { id: job });
    const made = await server.ask(
      "query ($id: ID!) { job(id: $id) { ... on ImplantJob { fittedTrigger } } }",
      {
        id: job,
      },
    );
    expect(made.data.job.fittedTrigger).toMatch(/^sha256:[0-9a-f]{64}$/);

    const evaluate = async (modelId: string, more: object, key: string) => {
      const { data } = await server.ask(EVALUATE, { modelId, attack: { ...attack, ...more }, key });
      expect(data.evaluate.userErrors).toEqual([]);
      await server.follow(ended, { id: data.evaluate.job.id });
      return (await server.ask(EVALUATED, { id: data.evaluate.job.id })).data.job;
    };
    const named = await evaluate("model_scenes-clean", { trigger: job }, "named");
    expect(named).toMatchObject({ status: "SUCCEEDED", result: { asr: { n: 32 } } });
    const beside = await evaluate("model_scenes-mine", {}, "beside");
    expect(beside).toMatchObject({ status: "SUCCEEDED", result: { asr: { n: 32 } } });
    const without = await evaluate("model_scenes-clean", {}, "without");
    expect(without).toMatchObject({ status: "FAILED", failure: { code: "TRIGGER_NOT_FITTED" } });

    const { data } = await server.ask(PREVIEW, { kind: "BADCLIP", trigger: job });
    expect(data.previewAttack.psnr).toBeGreaterThan(5);
    const stranger = await server.tenant("others", ["PROMPTS_WRITE", "DATASETS_WRITE", "CLASSIFY"]);
    const theirs = await server.ask(PREVIEW, { kind: "BADCLIP", trigger: job }, { key: stranger });
    const unknown = await server.ask(PREVIEW, { kind: "BADCLIP", trigger: "job_none" }, { key: stranger });
    for (const { errors } of [theirs, unknown]) expect(errors?.[0].extensions.code).toBe("NOT_FOUND");
    const other = await server.ask(PREVIEW, { kind: "TROJVQA", trigger: job });
    expect(other.errors?.[0].extensions.code).toBe("VALIDATION_FAILED");
    await server.close();
  });
});
