import { cpSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { testCheckpoint } from "../../src/engine/clip/self-test-tasks.ts";
import { importModel } from "../../src/services/import/import-model.ts";
import { ModelRegistry } from "../../src/services/registry.ts";
import type { SelfTester } from "../../src/services/self-testing.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const FIXTURES = join(__dirname, "../fixtures/clip");
const WEIGHTS = "open_clip_model.safetensors";

let store: LmdbStore;
let tested: string[] = [];
let folder: string;

/** The real test, in this thread, with a list of what it was asked for. */
const tester: SelfTester = async (path, overrides) => {
  tested.push(path.split("/").at(-1)!);
  const result = await testCheckpoint({ folder: path, overrides, device: "cpu", threads: 1 });
  return { ...result, device: "cpu", at: new Date(0).toISOString() };
};

const registry = () => new ModelRegistry(store, folder, tester);

/** Puts a fixture's files where a model is. */
function put(model: string, name: string): void {
  for (const file of ["open_clip_config.json", WEIGHTS, "tokenizer.json"])
    cpSync(join(FIXTURES, model, file), join(folder, name, file));
}

/** Another modification time and the same bytes, or the given ones. */
function touch(path: string, bytes: Uint8Array = readFileSync(path)): void {
  writeFileSync(path, bytes);
  utimesSync(path, new Date(1000), new Date(1000));
}

beforeEach(async () => {
  store = await LmdbStore.open(join(temporaryFolder(), "store"));
  folder = temporaryFolder();
  tested = [];
});

afterEach(() => store.close());

describe("a scan", () => {
  test("reads and tests what is new or has changed, and nothing else", async () => {
    put("vit", "one");
    put("resnet", "two");
    const first = await registry().scan();
    expect(tested).toEqual(["one", "two"]);
    expect(await registry().scan()).toEqual(first);
    expect(tested).toEqual(["one", "two"]);
    put("vit-16-bit", "two");
    const { registered } = await registry().scan();
    expect(tested).toEqual(["one", "two", "two"]);
    expect(registered[1]!.weights).not.toBe(first.registered[1]!.weights);
  });

  test("does not test the same weights again because a time has changed", async () => {
    put("vit", "one");
    await registry().scan();
    touch(join(folder, "one", WEIGHTS));
    const { registered } = await registry().scan();
    expect(registered).toHaveLength(1);
    expect(tested).toEqual(["one"]);
  });

  test("takes the overrides that lie in a folder", async () => {
    put("vit", "one");
    writeFileSync(join(folder, "one", "antidote.json"), '{"preprocessing": {"normalisation": "none"}}');
    const { registered } = await registry().scan();
    expect(registered[0]).toMatchObject({
      normalisation: { mean: [0, 0, 0], std: [1, 1, 1] },
      overrides: { preprocessing: { normalisation: "none" } },
    });
    writeFileSync(join(folder, "one", "antidote.json"), '{"normalization": "none"}');
    const { failed } = await registry().scan();
    expect(failed).toMatchObject([{ name: "one", error: { code: "INVALID_CHECKPOINT" } }]);
  });

  test("forgets what is gone, and looks past what is no model", async () => {
    put("vit", "one");
    mkdirSync(join(folder, ".antidote", "staging", "half"), { recursive: true });
    await registry().scan();
    rmSync(join(folder, "one"), { recursive: true });
    expect(await registry().scan()).toEqual({ registered: [], failed: [] });
    expect(await registry().list()).toEqual([]);
  });
});

describe("trust", () => {
  test("is in weights: others under the same name are suspect again", async () => {
    put("vit", "one");
    const models = registry();
    expect((await models.register("one")).trust).toBe("SUSPECT");
    expect((await models.register("one", { trust: "TRUSTED" })).trust).toBe("TRUSTED");
    expect((await models.register("one")).trust).toBe("TRUSTED");
    put("resnet", "one");
    expect((await models.register("one")).trust).toBe("SUSPECT");
  });

  test("that was withdrawn stays so whatever takes the name", async () => {
    put("vit", "one");
    const models = registry();
    await models.register("one", { trust: "QUARANTINED" });
    put("resnet", "one");
    expect((await models.register("one")).trust).toBe("QUARANTINED");
  });

  test("is not what a downloaded folder says of itself", async () => {
    put("vit", "one");
    mkdirSync(join(folder, "one", ".antidote", "imports"), { recursive: true });
    writeFileSync(join(folder, "one", ".antidote", "imports", "one.json"), '{"trust": "TRUSTED"}');
    expect((await registry().scan()).registered[0]!.trust).toBe("SUSPECT");
  });
});

describe("an imported model", () => {
  const bring = (model: string, options: object = {}) =>
    importModel({
      source: join(FIXTURES, model),
      name: "brought",
      modelsFolder: folder,
      replace: false,
      test: tester,
      hub: { endpoint: "http://127.0.0.1:1" },
      ...options,
    });

  test("comes with its self-test, its trust and its source", async () => {
    const report = await bring("vit", { trust: "TRUSTED", normalisation: "none" });
    tested = [];
    const { registered } = await registry().scan();
    expect(registered[0]).toMatchObject({
      name: "brought",
      trust: "TRUSTED",
      source: join(FIXTURES, "vit"),
      selfTest: report.selfTest,
      overrides: { preprocessing: { normalisation: "none" } },
    });
    expect(tested).toEqual([]);
  });

  test("is taken in anew when it was replaced, and what was said since stays said", async () => {
    await bring("vit", { trust: "TRUSTED" });
    const models = registry();
    await models.scan();
    expect((await models.register("brought", { trust: "QUARANTINED" })).trust).toBe("QUARANTINED");
    expect((await models.scan()).registered[0]!.trust).toBe("QUARANTINED");
    await bring("resnet", { trust: "TRUSTED", replace: true });
    expect((await models.scan()).registered[0]!.trust).toBe("TRUSTED");
  });

  test("lends its trust to no other weights that are put in its place", async () => {
    await bring("vit", { trust: "TRUSTED" });
    put("resnet", "brought");
    const [record] = (await registry().scan()).registered;
    expect(record).toMatchObject({ trust: "SUSPECT" });
    expect(record!.source).toBeUndefined();
  });
});

test("answers that have changed for the same weights are a warning", async () => {
  put("vit", "one");
  const models = registry();
  await models.register("one");
  const drifting: SelfTester = async (path, overrides) => {
    const result = await tester(path, overrides);
    const image = { digest: "sha256:0", first: result.image.first.map((value) => value + 0.1) };
    return { ...result, image };
  };
  const drifted = await new ModelRegistry(store, folder, drifting).register("one");
  expect(drifted.warnings).toEqual([expect.stringContaining("no longer answers")]);
});

test("a model that fails its self-test is not registered, and the record of before is kept", async () => {
  put("vit", "one");
  const models = registry();
  const before = await models.register("one");
  const failing: SelfTester = async (path, overrides) => {
    const result = await tester(path, overrides);
    const checks = result.checks.map((check) => ({ ...check, passed: check.name !== "imageNorm" }));
    return { ...result, passed: false, checks };
  };
  const wrong = new ModelRegistry(store, folder, failing).register("one", { normalisation: "none" });
  await expect(wrong).rejects.toMatchObject({ code: "INVALID_CHECKPOINT" });
  expect(await models.find("one")).toEqual(before);
  expect((await models.scan()).registered).toEqual([before]);
});
