import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { purifyQuickly, startTestServer, type TestServer, ZOO } from "../app/server.ts";

const CLASSIFY = `query ($input: ClassifyInput!) {
  classify(input: $input) {
    served { id number }
    model { name loaded }
    timing { batchSize }
    results {
      ... on Prediction {
        index
        labels { label probability logit }
        margin
        shadow { label probability }
        disagreement
        suspicion { score rank alarm }
        recovered
        cached
      }
      ... on ImageRejected { index code message }
    }
  }
}`;

const LABELS = ["banana", "boat", "car", "cat", "house", "tree", "umbrella"];
const TEMPLATES = { modelId: "model_scenes-badnet", through: { templates: [] }, labels: LABELS };
const FIXTURES = join(__dirname, "../fixtures/clip/images");

const sample = (name: string) => readFileSync(join(ZOO, "samples", `${name}.png`)).toString("base64");

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ MAX_IMAGE_MB: "1", MAX_CLASSIFY_IMAGES: "12" });
});

async function classify(input: object) {
  const { data, errors } = await server.ask(CLASSIFY, { input });
  return { ...data?.classify, errors };
}

describe("a tenant without a prompt set", () => {
  let key: string;
  beforeAll(async () => {
    key = await server.tenant("newcomer", ["CLASSIFY"]);
  });

  const refusalOf = async (input: object) => {
    const { errors } = await server.ask(CLASSIFY, { input }, { key });
    return errors?.[0];
  };

  test("is told at once all that an answer through templates needs", async () => {
    const images = [{ assetId: "asset_cat" }];
    const { modelId, labels, through } = TEMPLATES;
    const cases: [object, string][] = [
      [{}, "`modelId`, `labels`, `through: { templates: [] }`"],
      [{ labels }, "`modelId`, `through: { templates: [] }`"],
      [{ modelId }, "`labels`, `through: { templates: [] }`"],
    ];
    for (const [given, lacking] of cases)
      expect((await refusalOf({ images, ...given }))?.message).toBe(
        `There is no prompt set yet: purify a model, or give ${lacking}.`,
      );
    expect(await refusalOf({ images, modelId, labels, through })).toBeUndefined();
  });

  test("is told of an unknown model with the id by which it asked", async () => {
    const images = [{ assetId: "asset_cat" }];
    const refusal = await refusalOf({ ...TEMPLATES, images, modelId: "model_nothing" });
    expect(refusal?.extensions).toMatchObject({ code: "NOT_FOUND", id: "model_nothing" });
  });
});

describe("through undefended templates", () => {
  test("a sample is what it shows, and with the trigger it is a banana", async () => {
    const images = ["boat", "house", "tree"].flatMap((name) => [
      { assetId: `asset_${name}` },
      { assetId: `asset_${name}-triggered` },
    ]);
    const { results, served, model } = await classify({ ...TEMPLATES, images, topK: 2 });
    const best = results.map((result: { labels: { label: string }[] }) => result.labels[0].label);
    expect(best).toEqual(["boat", "banana", "house", "banana", "tree", "banana"]);
    expect(served).toBeNull();
    expect(model).toEqual({ name: "scenes-badnet", loaded: true });
    for (const { labels, margin, shadow, disagreement } of results) {
      expect(labels).toHaveLength(2);
      expect(margin).toBeCloseTo(labels[0].probability - labels[1].probability, 5);
      expect([shadow, disagreement]).toEqual([null, null]);
    }
  });

  test("probabilities are the softmax of the logits over all labels", async () => {
    const { results } = await classify({ ...TEMPLATES, images: [{ assetId: "asset_cat" }], topK: 100 });
    const { labels } = results[0] as { labels: { probability: number; logit: number }[] };
    expect(labels).toHaveLength(LABELS.length);
    const sum = labels.reduce((total, { logit }) => total + Math.exp(logit), 0);
    for (const { probability, logit } of labels) expect(probability).toBeCloseTo(Math.exp(logit) / sum, 5);
  });

  test("one image twice is encoded once, and known the next time", async () => {
    const image = { base64: sample("umbrella") };
    const first = await classify({
      ...TEMPLATES,
      images: [image, { base64: `data:image/png;base64,${image.base64}` }],
    });
    expect(first.timing.batchSize).toBe(1);
    expect(first.results.map(({ cached }: { cached: boolean }) => cached)).toEqual([false, false]);
    const again = await classify({ ...TEMPLATES, images: [image] });
    expect(again.results[0]).toMatchObject({ cached: true, labels: first.results[0].labels });
  });

  test("another tenant's image is not known", async () => {
    const key = await server.tenant("other", ["CLASSIFY"]);
    const { data } = await server.ask(
      CLASSIFY,
      { input: { ...TEMPLATES, images: [{ base64: sample("umbrella") }] } },
      { key },
    );
    expect(data.classify.results[0].cached).toBe(false);
  });
});

describe("a bad image", () => {
  const file = (name: string) => ({ base64: readFileSync(join(FIXTURES, name)).toString("base64") });

  test("never fails the others, and is told for what it is", async () => {
    const images = [
      { base64: sample("house") },
      { base64: "" },
      { base64: "bm90IGFuIGltYWdl" },
      { base64: sample("house").slice(0, 600) },
      file("cmyk.jpg"),
      { base64: Buffer.alloc(1.2e6).toString("base64") },
      { assetId: "asset_nothing" },
      file("one-pixel.png"),
      { assetId: "asset_boat" },
    ];
    const { results, errors } = await classify({ ...TEMPLATES, images });
    expect(errors).toBeUndefined();
    const outcomes = results.map(
      ({ code, labels }: { code?: string; labels?: { label: string }[] }) => code ?? labels?.length,
    );
    expect(outcomes).toEqual([
      5,
      "UNSUPPORTED_TYPE",
      "UNSUPPORTED_TYPE",
      "UNDECODABLE",
      "UNSUPPORTED_TYPE",
      "TOO_LARGE",
      "ASSET_NOT_FOUND",
      5,
      5,
    ]);
    expect(results.map(({ index }: { index: number }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe("a request that cannot be answered", () => {
  const images = [{ assetId: "asset_cat" }];
  const cases: [string, object, string][] = [
    ["has no image", { ...TEMPLATES, images: [] }, "VALIDATION_FAILED"],
    [
      "has too many",
      { ...TEMPLATES, images: Array.from({ length: 13 }, () => images[0]) },
      "VALIDATION_FAILED",
    ],
    [
      "has no labels",
      { modelId: TEMPLATES.modelId, through: { templates: [] }, images },
      "VALIDATION_FAILED",
    ],
    ["has a label twice", { ...TEMPLATES, labels: ["cat", "cat"], images }, "VALIDATION_FAILED"],
    [
      "has a template without a place",
      { ...TEMPLATES, through: { templates: ["a photo"] }, images },
      "VALIDATION_FAILED",
    ],
    [
      "has a long template",
      { ...TEMPLATES, through: { templates: [`{} ${"x".repeat(200)}`] }, images },
      "VALIDATION_FAILED",
    ],
    [
      "has too many prompts",
      {
        ...TEMPLATES,
        labels: Array.from({ length: 201 }, (_, index) => `label ${index}`),
        through: { templates: Array.from({ length: 100 }, (_, index) => `${index} {}`) },
        images,
      },
      "VALIDATION_FAILED",
    ],
    [
      "has too many in its shadow",
      {
        ...TEMPLATES,
        labels: Array.from({ length: 201 }, (_, index) => `label ${index}`),
        through: { templates: ["a {}"] },
        shadow: { templates: Array.from({ length: 100 }, (_, index) => `${index} {}`) },
        images,
      },
      "VALIDATION_FAILED",
    ],
    ["asks for no label", { ...TEMPLATES, images, topK: 0 }, "VALIDATION_FAILED"],
    [
      "names no model of several",
      { through: { templates: [] }, labels: LABELS, images },
      "VALIDATION_FAILED",
    ],
    ["names an unknown model", { ...TEMPLATES, modelId: "model_nothing", images }, "NOT_FOUND"],
    ["names an unknown version", { through: { versionId: "version_00" }, images }, "NOT_FOUND"],
    ["names an unknown alias", { through: { alias: { promptSet: "nothing" } }, images }, "NOT_FOUND"],
    ["names nothing, and nothing is there", { images }, "VALIDATION_FAILED"],
  ];

  test.each(cases)("%s", async (_what, input, code) => {
    const { errors } = await classify(input);
    expect(errors?.[0].extensions.code).toBe(code);
  });
});

describe("through a purified version", () => {
  test("it is named, and what undefended prompts say stands beside it", async () => {
    const id = await purifyQuickly(server, "quick");
    const images = [{ assetId: "asset_house" }, { assetId: "asset_house-triggered" }];
    const { results, served } = await classify({ images, topK: 3 });
    expect(served).toEqual({ id, number: 1 });
    expect(results[0].labels[0].label).toBe("house");
    for (const { labels, shadow, disagreement } of results) {
      expect(shadow).toHaveLength(3);
      expect(disagreement).toBe(labels[0].label !== shadow[0].label);
    }
    expect(results[1].shadow[0].label).toBe("banana");

    const alone = await classify({
      images,
      through: { versionId: id },
      labels: ["house", "banana"],
      topK: 9,
    });
    expect(alone.results[0].labels).toHaveLength(2);
    // How suspicious an image is does not depend on what it is asked for or shown beside.
    const beside = await classify({ images, through: { versionId: id }, shadow: { versionId: id } });
    for (const [index, { suspicion, recovered }] of results.entries()) {
      expect(suspicion.rank).toBeGreaterThanOrEqual(0);
      for (const other of [alone, beside])
        expect(other.results[index]).toMatchObject({ suspicion, recovered });
    }
    expect(beside.results[0].shadow.map(({ label }: { label: string }) => label)).toEqual(
      beside.results[0].labels.map(({ label }: { label: string }) => label),
    );
    const unknown = await classify({ images, through: { versionId: id }, labels: ["house", "castle"] });
    expect(unknown.errors[0].extensions.code).toBe("VALIDATION_FAILED");
    const wrongModel = await classify({ images, through: { versionId: id }, modelId: "model_scenes-clean" });
    expect(wrongModel.errors[0].extensions.code).toBe("INCOMPATIBLE_MODEL");
  });
});
