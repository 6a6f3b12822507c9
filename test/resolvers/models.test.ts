import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, jest, test } from "@jest/globals";
import { ServedModel } from "../../src/services/serving.ts";
import { FOLLOW } from "../app/jobs.ts";
import {
  FEW_LABELS,
  PURIFY,
  quickPurification,
  startTestServer,
  type TestServer,
  ZOO,
} from "../app/server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";

const REGISTER = `mutation ($input: RegisterModelInput! = {}) {
  registerModel(input: $input) {
    model { id name arch weights trust }
    models { name }
    userErrors { code message path }
  }
}`;

const folder = temporaryFolder();
let server: TestServer;

const copy = (name: string) =>
  cpSync(join(ZOO, "models", "scenes-badnet"), join(folder, name), { recursive: true });

/** With other weights than all others here, if only a little. */
function copyOfItsOwn(name: string): void {
  copy(name);
  const path = join(folder, name, "open_clip_model.safetensors");
  const weights = readFileSync(path);
  weights.writeFloatLE(weights.readFloatLE(weights.length - 4) + 1e-3, weights.length - 4);
  writeFileSync(path, weights);
}

const register = async (name?: string, input: object = {}) =>
  (await server.ask(REGISTER, { input: { folder: name, ...input } })).data.registerModel;

beforeAll(async () => {
  copy("sound");
  copy("truncated");
  truncateSync(join(folder, "truncated", "open_clip_model.safetensors"), 100_000);
  mkdirSync(join(folder, "empty"));
  writeFileSync(join(folder, "notes.txt"), "not a folder");
  server = await startTestServer({ MODELS_DIR: folder, EMBEDDING_CACHE_MB: "0" });
});

describe("the models folder", () => {
  test("is looked through at the start; what cannot be used is left out", async () => {
    const { data } = await server.ask("{ models { name trust loaded } }");
    expect(data.models).toEqual([{ name: "sound", trust: "SUSPECT", loaded: false }]);
    expect(server.app.scan.failed.map(({ name, error }) => [name, error.code])).toEqual([
      ["empty", "INVALID_CHECKPOINT"],
      ["truncated", "INVALID_CHECKPOINT"],
    ]);
  });

  test("can get more models while the server runs", async () => {
    copy("later");
    const { model, userErrors } = await register("later");
    expect(userErrors).toEqual([]);
    expect(model).toMatchObject({ id: "model_later", trust: "SUSPECT" });
    copy("latest");
    const all = await register();
    expect(all.models.map(({ name }: { name: string }) => name)).toEqual(["later", "latest", "sound"]);
    expect(all.userErrors.map(({ path }: { path: string[] }) => path)).toEqual([["empty"], ["truncated"]]);
  });

  test.each(["truncated", "empty"])("has %s, which is told what it lacks", async (name) => {
    const { model, userErrors } = await register(name);
    expect(model).toBeNull();
    expect(userErrors[0].code).toBe("INVALID_CHECKPOINT");
    expect(userErrors[0].message).toMatch(/open_clip/);
  });

  test.each(["nothing", "notes.txt", "..", "../models", "/etc", ""])("is never left for %j", async (name) => {
    const { userErrors } = await register(name);
    expect(["NOT_FOUND", "VALIDATION_FAILED"]).toContain(userErrors[0].code);
  });
});

describe("what is known of a model", () => {
  const FACTS = `query ($name: String!) { model(name: $name) {
    format parameters dtypes bytes contextLength trust warnings source
    normalisation { mean deviation overridden }
    selfTest { checks { name passed measured limit } image { digest first } text { digest first } device at }
  } }`;
  const facts = async (name: string) => (await server.ask(FACTS, { name })).data.model;

  test("is what was read and tested when it was registered", async () => {
    const model = await facts("sound");
    expect(model).toMatchObject({
      format: "open_clip",
      dtypes: ["F32"],
      trust: "SUSPECT",
      warnings: [],
      source: null,
      normalisation: { overridden: false },
      selfTest: { device: "CPU" },
    });
    expect(model.parameters).toBeGreaterThan(100_000);
    expect(model.bytes).toBeGreaterThan(4 * model.parameters);
    expect(model.selfTest.checks).toHaveLength(10);
    expect(model.selfTest.checks.every(({ passed }: { passed: boolean }) => passed)).toBe(true);
    expect(model.selfTest.image.first).toHaveLength(8);
    expect(model.selfTest.image.digest).not.toBe(model.selfTest.text.digest);
  });

  test("can be corrected: how images are normalised, also back again", async () => {
    copy("corrected");
    await register("corrected");
    const before = await facts("corrected");
    const { userErrors } = await register("corrected", { normalisation: { name: "NONE" }, trust: "TRUSTED" });
    expect(userErrors).toEqual([]);
    const changed = await facts("corrected");
    expect(changed.trust).toBe("TRUSTED");
    expect(before.normalisation.mean[0]).toBeCloseTo(0.4815, 4);
    expect(changed.normalisation).toEqual({ mean: [0, 0, 0], deviation: [1, 1, 1], overridden: true });
    expect(changed.selfTest.image.digest).not.toBe(before.selfTest.image.digest);
    expect(changed.selfTest.text).toEqual(before.selfTest.text);
    expect(JSON.parse(readFileSync(join(folder, "corrected", "antidote.json"), "utf8"))).toEqual({
      preprocessing: { normalisation: "none" },
    });
    await register("corrected", { normalisation: { name: "CONFIGURATION" } });
    const back = await facts("corrected");
    expect(back).toMatchObject({ trust: "TRUSTED", normalisation: before.normalisation });
    expect(back.selfTest.image).toEqual(before.selfTest.image);
  });

  test.each([[{ mean: [0, 0], deviation: [1, 1, 1] }], [{ mean: [0, 0, 0], deviation: [1, 0, 1] }]])(
    "is not changed by %j",
    async (values) => {
      const before = await facts("sound");
      const { userErrors } = await register("sound", { normalisation: { values } });
      expect(userErrors).toMatchObject([
        { code: "VALIDATION_FAILED", path: ["input", "normalisation", "values"] },
      ]);
      expect(await facts("sound")).toEqual(before);
    },
  );

  test("is said of one model at a time", async () => {
    const { userErrors } = await register(undefined, { trust: "TRUSTED" });
    expect(userErrors).toMatchObject([{ code: "VALIDATION_FAILED", path: ["input", "folder"] }]);
  });
});

describe("a model that is to go", () => {
  const remove = async (modelId: string) =>
    (
      await server.ask(
        `mutation ($modelId: ID!) {
          deleteModel(modelId: $modelId) { model { name } userErrors { code message path } }
        }`,
        { modelId },
      )
    ).data.deleteModel;

  test("goes when its folder is gone, and nothing is answered through it then", async () => {
    copy("leaving");
    await register("leaving");
    const refused = await remove("model_leaving");
    expect(refused.model).toBeNull();
    expect(refused.userErrors).toMatchObject([{ code: "VALIDATION_FAILED" }]);
    expect(refused.userErrors[0].message).toContain('still has the folder "leaving"');
    const classify = () =>
      server.ask(`{
        classify(input: { modelId: "model_leaving", images: [{ assetId: "asset_cat" }], through: { templates: [] }, labels: ["cat", "boat"] }) {
          results { ... on Prediction { index } }
        }
      }`);
    expect((await classify()).errors).toBeUndefined();
    rmSync(join(folder, "leaving"), { recursive: true });
    expect(await remove("model_leaving")).toEqual({ model: { name: "leaving" }, userErrors: [] });
    expect((await server.ask(`{ model(name: "leaving") { name } }`)).data.model).toBeNull();
    expect((await classify()).errors?.[0].extensions.code).toBe("NOT_FOUND");
    copy("leaving");
    expect((await register("leaving")).model.name).toBe("leaving");
    rmSync(join(folder, "leaving"), { recursive: true });
    expect((await remove("model_leaving")).userErrors).toEqual([]);
  });

  test("takes its versions out of service, and they answer again through the same weights under any name", async () => {
    copyOfItsOwn("leaving");
    await register("leaving");
    const { data } = await server.ask(
      `mutation ($input: ImportPromptsInput!) { importPrompts(input: $input) { version { id } userErrors { message } } }`,
      {
        input: {
          bundle: { base64: readFileSync(join(__dirname, "../fixtures/coop/shared.pth.tar"), "base64") },
          promptSet: "leaving",
          modelId: "model_leaving",
          coop: { labels: FEW_LABELS },
        },
      },
    );
    expect(data.importPrompts.userErrors).toEqual([]);
    const through = { versionId: data.importPrompts.version.id };
    const classify = () =>
      server.ask(
        `query ($through: Through!) {
          classify(input: { images: [{ assetId: "asset_cat" }], through: $through }) { model { name } }
        }`,
        { through },
      );
    expect((await classify()).data.classify.model.name).toBe("leaving");
    rmSync(join(folder, "leaving"), { recursive: true });
    await remove("model_leaving");
    expect((await classify()).errors?.[0].extensions).toMatchObject({
      code: "INCOMPATIBLE_MODEL",
      model: "leaving",
    });
    copyOfItsOwn("back");
    await register("back");
    expect((await classify()).data.classify.model.name).toBe("back");
  });

  test("fails the jobs that wait for it", async () => {
    copyOfItsOwn("leaving");
    await register("leaving");
    const begin = async (modelId: string, more = {}) => {
      const input = { ...quickPurification(modelId.replace("model_", "")), modelId, ...more };
      return (await server.ask(PURIFY, { input, key: modelId })).data.purify.job.id;
    };
    const long = await begin("model_sound", { epochs: 2000 });
    const waiting = await begin("model_leaving");
    rmSync(join(folder, "leaving"), { recursive: true });
    expect((await remove("model_leaving")).userErrors).toEqual([]);
    await server.ask(`mutation ($id: ID!) { cancelJob(id: $id) { job { status } } }`, { id: long });
    await server.follow(FOLLOW, { id: waiting });
    const { data } = await server.ask(`query ($id: ID!) { job(id: $id) { status failure { code } } }`, {
      id: waiting,
    });
    expect(data.job).toEqual({ status: "FAILED", failure: { code: "NOT_FOUND" } });
  });

  test.each(["model_nothing", "model_..", "leaving", "dataset_scenes-shots"])(
    "is not found as %s",
    async (id) => {
      expect((await remove(id)).userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
    },
  );
});

describe("a model that is broken while it serves", () => {
  test("goes on answering with what it has, and a reload that fails changes nothing", async () => {
    const classify = async () =>
      (
        await server.ask(`{
          classify(input: { modelId: "model_sound", images: [{ assetId: "asset_cat" }, { assetId: "asset_boat" }], through: { templates: [] }, labels: ["cat", "boat"], topK: 1 }) {
            results { ... on Prediction { labels { label } cached } }
          }
        }`)
      ).data.classify.results;
    const before = await classify();
    expect(before.map(({ cached }: { cached: boolean }) => cached)).toEqual([false, false]);
    truncateSync(join(folder, "sound", "open_clip_model.safetensors"), 1000);
    expect((await register("sound")).userErrors[0].code).toBe("INVALID_CHECKPOINT");
    expect(await classify()).toEqual(before);
    expect((await server.ask(`{ model(name: "sound") { loaded } }`)).data.model.loaded).toBe(true);
  });

  test("does not make new texts of weights that were changed, and does again when they are back", async () => {
    copy("touched");
    await register("touched");
    const classify = (...labels: string[]) =>
      server.ask(
        `query ($labels: [String!]!) {
          classify(input: { modelId: "model_touched", images: [{ assetId: "asset_cat" }], through: { templates: [] }, labels: $labels, topK: 1 }) {
            results { ... on Prediction { labels { label } } }
          }
        }`,
        { labels },
      );
    const answer = { results: [{ labels: [{ label: "cat" }] }] };
    expect((await classify("cat", "boat")).data.classify).toEqual(answer);
    const path = join(folder, "touched", "open_clip_model.safetensors");
    const weights = readFileSync(path);
    const others = Buffer.from(weights);
    others.fill(0, others.length - 1000);
    writeFileSync(path, others);
    // What it has answers on; what it would have to read again does not.
    expect((await classify("cat", "boat")).data.classify).toEqual(answer);
    for (let tries = 0; tries < 2; tries++) {
      expect((await classify("cat", "car")).errors?.[0].extensions.code).toBe("INCOMPATIBLE_MODEL");
      expect((await classify("cat", "boat")).data.classify).toEqual(answer);
    }
    rmSync(path);
    expect((await classify("cat", "car")).errors?.[0].extensions.code).toBe("INCOMPATIBLE_MODEL");
    expect((await classify("cat", "boat")).data.classify).toEqual(answer);
    writeFileSync(path, weights);
    // The first that asks finds that it was changed, and has it opened anew.
    await until(async () => (await classify("cat", "car")).errors === undefined);
    expect((await classify("cat", "car")).data.classify).toEqual(answer);
  });

  test("that was asked for many times at once is loaded once", async () => {
    const open = jest.spyOn(ServedModel, "open");
    const answers = await Promise.all(
      ["cat", "boat", "car", "house"].map((name) =>
        server.ask(`{
          classify(input: { modelId: "model_later", images: [{ assetId: "asset_${name}" }], through: { templates: [] }, labels: ["cat", "boat", "car", "house"], topK: 1 }) {
            results { ... on Prediction { labels { label } } }
          }
        }`),
      ),
    );
    expect(answers.map(({ data }) => data.classify.results[0].labels[0].label)).toEqual([
      "cat",
      "boat",
      "car",
      "house",
    ]);
    expect(open).toHaveBeenCalledTimes(1);
    open.mockRestore();
  });
});
