import { cpSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { FEW_LABELS, PURIFY, QUICK, startTestServer, type TestServer, ZOO } from "../app/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DEFEND = `mutation ($input: DefendInput!, $key: String!) {
  defend(input: $input, idempotencyKey: $key) { job { id } replayed userErrors { code message path } }
}`;

const JOB = `query ($id: ID!) { job(id: $id) {
  status progress failure { code message }
  ... on DefenceJob {
    defence seed parameters audit { verdict }
    result { __typename ... on PromptVersion { id labels defenceJob { id } job { id } } ... on Model { name trust weights } }
  }
} }`;

const input = {
  modelId: "model_scenes-badnet",
  datasetId: "dataset_scenes-shots",
  labels: FEW_LABELS,
  shots: 2,
};

let server: TestServer;
beforeAll(async () => {
  const models = temporaryFolder();
  cpSync(join(ZOO, "models"), models, { recursive: true });
  server = await startTestServer({ MODELS_DIR: models });
});

/** The job of a defence once it has ended, and its steps. */
async function defended(given: object, key: string) {
  const { data, errors } = await server.ask(DEFEND, { input: { ...input, ...given }, key });
  if (errors) throw new Error(errors[0].message);
  expect(data.defend.userErrors).toEqual([]);
  const { id } = data.defend.job;
  const events = await server.follow(
    "subscription ($id: ID!) { jobEvents(jobId: $id) { ... on StepMetrics { phase losses { name value } } } }",
    { id },
  );
  const { job } = (await server.ask(JOB, { id })).data;
  return { id, job, steps: events.map(({ data }) => data.jobEvents).filter(({ phase }) => phase) };
}

const refused = async (given: object, key: string) => {
  const { data } = await server.ask(DEFEND, { input: { ...input, ...given }, key });
  return data.defend.userErrors;
};

describe("defences", () => {
  test("tell what they do, what they make and what can be set", async () => {
    const { data } = await server.ask(
      "{ defences { defence about paper makes parameters { name about default whole minimum maximum choices } } }",
    );
    const made = data.defences.map(({ defence, makes }: { defence: string; makes: string }) => [
      defence,
      makes,
    ]);
    expect(Object.fromEntries(made)).toEqual({
      COOP: "PROMPTS",
      FT: "WEIGHTS",
      CLEANCLIP: "WEIGHTS",
      PAR: "WEIGHTS",
      CBPT_PUBLISHED: "PROMPTS",
      CBPT_UNIVERSAL: "PROMPTS",
    });
    const par = data.defences.find(({ defence }: { defence: string }) => defence === "PAR");
    expect(par.paper).toContain("2412.00727");
    expect(par.parameters).toContainEqual(
      expect.objectContaining({ name: "threshold", default: "2.15", minimum: 0, maximum: 4, whole: false }),
    );
    expect(par.parameters).toContainEqual(
      expect.objectContaining({ name: "normalisation", choices: ["frozen", "batch"], minimum: null }),
    );
  });
});

describe("defend", () => {
  test("makes a prompt version with context optimisation, which no alias moves to", async () => {
    const { id, job, steps } = await defended(
      { defence: "COOP", promptSet: "tuned", parameters: { epochs: 2, context: "CLASS_WISE" } },
      "coop",
    );
    expect(job).toMatchObject({
      status: "SUCCEEDED",
      progress: 1,
      defence: "COOP",
      seed: 1,
      parameters: { epochs: 2, context: "CLASS_WISE", optimiser: "SGD" },
      audit: null,
      result: { __typename: "PromptVersion", labels: FEW_LABELS, defenceJob: { id }, job: null },
    });
    expect(steps).toContainEqual({
      phase: "tune",
      losses: [{ name: "cleanEntropy", value: expect.any(Number) }],
    });
    const { data } = await server.ask(
      `query ($through: Through!) {
        promptSet(name: "tuned") { aliases { name } }
        classify(input: { images: [{ assetId: "asset_house" }], through: $through }) {
          results { ... on Prediction { labels { label } } }
        }
      }`,
      { through: { versionId: job.result.id } },
    );
    expect(data.promptSet.aliases).toEqual([]);
    expect(FEW_LABELS).toContain(data.classify.results[0].labels[0].label);
  });

  test("makes with universal CBPT the very version that a purification makes", async () => {
    const { labels: _, shots: __, ...quick } = QUICK;
    const parameters = { ...quick, gratingCycles: 0 };
    const { job } = await defended({ defence: "CBPT_UNIVERSAL", promptSet: "searched", parameters }, "cbpt");
    expect(job).toMatchObject({ status: "SUCCEEDED", audit: { verdict: expect.any(String) } });
    const { data } = await server.ask(PURIFY, {
      input: { ...input, ...parameters, promptSet: "searched" },
      key: "purify",
    });
    const { id } = data.purify.job;
    await server.follow("subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }", { id });
    const purified = await server.ask(
      "query ($id: ID!) { job(id: $id) { ... on PurificationJob { result { id } } } }",
      { id },
    );
    expect(purified.data.job.result.id).toBe(job.result.id);
  });

  test("makes a model with CleanCLIP, for operators only", async () => {
    const cleanclip = {
      defence: "CLEANCLIP",
      name: "scenes-cleanclip",
      parameters: { epochs: 1, batchSize: 3, learningRate: 1e-5 },
    };
    const key = await server.tenant("others", ["PROMPTS_WRITE", "DATASETS_WRITE", "CLASSIFY"]);
    const theirs = await server.ask(DEFEND, { input: { ...input, ...cleanclip }, key: "x" }, { key });
    expect(theirs.errors?.[0].extensions.code).toBe("FORBIDDEN");

    const { job } = await defended(cleanclip, "cleanclip");
    expect(job).toMatchObject({
      status: "SUCCEEDED",
      result: { __typename: "Model", name: "scenes-cleanclip", trust: "SUSPECT" },
    });
    const suspect = await server.ask(`{ model(name: "scenes-badnet") { weights } }`);
    expect(job.result.weights).not.toBe(suspect.data.model.weights);
    expect(await refused(cleanclip, "again")).toMatchObject([{ code: "VALIDATION_FAILED" }]);
  });

  test.each([
    ["prompts without a prompt set", { defence: "COOP" }, "makes prompts: give `promptSet`"],
    ["prompts with a model's name", { defence: "COOP", promptSet: "a", name: "b" }, "and not `name`"],
    ["weights without a name", { defence: "FT" }, "makes weights: give `name`"],
    ["a seed that is none", { defence: "COOP", promptSet: "a", seed: -1 }, "seed must be a whole number"],
    [
      "a parameter out of range",
      { defence: "FT", name: "x", parameters: { learningRate: 7, magic: 1 } },
      "learningRate must be a number from 1e-8 to 0.1, not 7; magic is not known",
    ],
    [
      "a target, which no defence knows",
      { defence: "CBPT_UNIVERSAL", promptSet: "a", parameters: { target: "banana" } },
      "target is not known",
    ],
    [
      "labels without shots",
      { defence: "COOP", promptSet: "a", labels: ["apple", "yeti"] },
      "no examples of yeti",
    ],
  ])("refuses %s", async (what, given, message) => {
    expect(await refused(given, what)).toMatchObject([
      { code: "VALIDATION_FAILED", message: expect.stringContaining(message) },
    ]);
  });

  test("is of one tenant: another's dataset is not there", async () => {
    const key = await server.tenant("stranger", ["PROMPTS_WRITE"]);
    const { data } = await server.ask(
      DEFEND,
      { input: { ...input, defence: "COOP", promptSet: "a" }, key: "x" },
      { key },
    );
    expect(data.defend.userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
  });
});
