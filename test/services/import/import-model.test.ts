import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { testCheckpoint } from "../../../src/engine/clip/self-test-tasks.ts";
import { type ImportRequest, importModel } from "../../../src/services/import/import-model.ts";
import type { SelfTester } from "../../../src/services/self-testing.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { COMMIT, type Repository, startHub } from "../hub/hub-server.ts";

const FIXTURES = join(__dirname, "../../fixtures/clip");
const CONFIG = "open_clip_config.json";
const WEIGHTS = "open_clip_model.safetensors";
const OVERRIDES = "antidote.json";
const TOKENIZER = "tokenizer.json";
const FILES = [CONFIG, WEIGHTS, TOKENIZER];

/** In this thread, which is faster than starting another for each. */
const testHere: SelfTester = async (folder, overrides) => ({
  ...(await testCheckpoint({ folder, overrides, device: "cpu", threads: 1 })),
  device: "cpu",
  at: new Date(0).toISOString(),
});

/** A copy of a checkpoint of the fixtures, with only what belongs to it. */
function source(model: string, place = join(temporaryFolder(), model)): string {
  for (const file of FILES) cpSync(join(FIXTURES, model, file), join(place, file));
  return place;
}

function importer(modelsFolder = temporaryFolder(), endpoint = "http://127.0.0.1:1") {
  const run = (from: string, options: Partial<ImportRequest> = {}) =>
    importModel({
      source: from,
      modelsFolder,
      replace: false,
      test: testHere,
      hub: { endpoint, firstWait: 1 },
      ...options,
    });
  return { modelsFolder, run };
}

const rejection = (step: Promise<unknown>) =>
  step.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Every file below a folder, without the notes of imports. */
const below = (folder: string): string[] =>
  (
    readdirSync(folder, { recursive: true, withFileTypes: true }) as unknown as {
      name: string;
      parentPath: string;
      isFile(): boolean;
    }[]
  )
    .filter((entry) => entry.isFile() && !entry.parentPath.endsWith("imports"))
    .map(({ name, parentPath }) => join(parentPath, name).slice(folder.length + 1))
    .sort();

/** Not-a-number in place of the last weight. */
function poison(folder: string): void {
  const path = join(folder, WEIGHTS);
  const bytes = readFileSync(path);
  const header = Number(bytes.readBigUInt64LE(0));
  for (let at = 8 + header; at + 4 <= bytes.length; at += 4) bytes.writeFloatLE(Number.NaN, at);
  // The scale is checked when a checkpoint is opened; everything else only when it is used.
  const { logit_scale } = JSON.parse(bytes.toString("utf8", 8, 8 + header));
  bytes.writeFloatLE(3, 8 + header + logit_scale.data_offsets[0]);
  writeFileSync(path, bytes);
}

describe("a folder", () => {
  test("is imported with the files that it needs, and a note of what was seen", async () => {
    const { modelsFolder, run } = importer();
    const from = source("vit");
    writeFileSync(join(from, "run_me.py"), "print()");
    mkdirSync(join(from, "logs"));
    writeFileSync(join(from, "logs", "out.txt"), "");
    const report = await run(from, { trust: "TRUSTED" });
    expect(below(modelsFolder)).toEqual(FILES.map((file) => `vit/${file}`));
    expect(report).toMatchObject({
      name: "vit",
      folder: join(modelsFolder, "vit"),
      source: from,
      format: "open_clip",
      files: FILES,
      leftOut: ["logs/out.txt", "run_me.py"],
      dtypes: ["F32"],
      warnings: [],
      selfTest: { passed: true, device: "cpu" },
    });
    expect(report.parameters).toBeGreaterThan(40_000);
    const note = JSON.parse(readFileSync(join(modelsFolder, ".antidote/imports/vit.json"), "utf8"));
    expect(note).toMatchObject({
      source: from,
      trust: "TRUSTED",
      weights: report.weights,
      selfTest: report.selfTest,
    });
  });

  test("of links, like the hub's cache, becomes files", async () => {
    const blobs = source("resnet");
    const snapshot = join(temporaryFolder(), "snapshot");
    mkdirSync(snapshot);
    for (const file of FILES) symlinkSync(join(blobs, file), join(snapshot, file));
    const { modelsFolder, run } = importer();
    await run(snapshot);
    const entries = readdirSync(join(modelsFolder, "snapshot"), { withFileTypes: true });
    expect(entries.map((entry) => entry.isFile())).toEqual([true, true, true]);
  });

  test("can be given another tokenizer, and another name", async () => {
    const from = source("vit");
    renameSync(join(from, TOKENIZER), join(from, "words.json"));
    const { modelsFolder, run } = importer();
    expect(await rejection(run(from))).toMatchObject({
      code: "INVALID_CHECKPOINT",
      details: { file: TOKENIZER },
    });
    expect(below(modelsFolder)).toEqual([]);
    const report = await run(from, { tokenizer: join(from, "words.json"), name: "mine" });
    expect(report).toMatchObject({ name: "mine", leftOut: ["words.json"] });
    expect(below(modelsFolder)).toEqual(FILES.map((file) => `mine/${file}`));
  });

  test("that changes afterwards does not change the model's configuration", async () => {
    const from = source("vit");
    const { modelsFolder, run } = importer();
    await run(from);
    writeFileSync(join(from, CONFIG), "{}");
    expect(readFileSync(join(modelsFolder, "vit", CONFIG), "utf8")).toContain("embed_dim");
  });
});

describe("other layouts", () => {
  test("Hugging Face's, in shards, are imported shard by shard", async () => {
    const { modelsFolder, run } = importer();
    const { format, files } = await run(join(FIXTURES, "hugging-face-sharded"));
    expect(format).toBe("Hugging Face");
    expect(files.filter((file) => /-of-/.test(file)).length).toBeGreaterThan(1);
    expect(below(modelsFolder)).toEqual(files.map((file) => `hugging-face-sharded/${file}`));
  });

  const EXPORTS = join(__dirname, "../../fixtures/onnx-exports");

  test("ONNX exports bring the data that they keep outside of themselves", async () => {
    const { modelsFolder, run } = importer();
    const report = await run(join(EXPORTS, "towers-14"));
    expect(report).toMatchObject({ format: "ONNX", selfTest: { passed: true } });
    expect(report.parameters).toBeUndefined();
    expect(report.files).toContain("onnx/vision_model.onnx_data");
    expect(below(modelsFolder)).toEqual(report.files.map((file) => `towers-14/${file}`));
  });

  test.each([
    ["both-18-dynamo/model.onnx", "both-18-dynamo", "model.onnx.data"],
    ["both-11/onnx/model.onnx", "both-11", "config.json"],
  ])("a lone %s is called %s and brings %s", async (file, name, other) => {
    const report = await importer().run(join(EXPORTS, file));
    expect(report).toMatchObject({ name, format: "ONNX", selfTest: { passed: true } });
    expect(report.files).toEqual(expect.arrayContaining(["model.onnx", other]));
  });

  test("can be asked for where a source has several", async () => {
    const from = join(temporaryFolder(), "both");
    source("vit", from);
    cpSync(join(FIXTURES, "hugging-face"), from, { recursive: true });
    const { run } = importer();
    const other = await run(from, { format: "hugging-face", name: "other" });
    expect(other).toMatchObject({
      format: "Hugging Face",
      leftOut: expect.arrayContaining([CONFIG, WEIGHTS]),
    });
    expect(await rejection(run(from, { format: "onnx", name: "none" }))).toMatchObject({
      code: "INVALID_CHECKPOINT",
    });
  });

  test("take a configuration or a tokenizer of another kind in place of their own", async () => {
    const from = join(temporaryFolder(), "broken");
    cpSync(join(FIXTURES, "hugging-face"), from, { recursive: true });
    const good = join(FIXTURES, "hugging-face");
    for (const file of ["vocab.json", "merges.txt", "tokenizer.json"]) writeFileSync(join(from, file), "{}");
    writeFileSync(join(from, CONFIG), "{}");
    const { run } = importer();
    expect(await rejection(run(from, { name: "as-it-is" }))).toMatchObject({ code: "INVALID_CHECKPOINT" });
    const report = await run(from, { tokenizer: good, config: join(good, "config.json") });
    expect(report.selfTest.passed).toBe(true);
    expect(await rejection(run(from, { tokenizer: temporaryFolder(), name: "x" }))).toMatchObject({
      code: "BAD_USER_INPUT",
    });
  });
});

describe("what an operator knows better", () => {
  test("is written beside the imported copy, and the source stays as it is", async () => {
    const from = source("vit");
    writeFileSync(join(from, OVERRIDES), '{"quickGelu": true, "preprocessing": {"resizeMode": "squash"}}');
    const { modelsFolder, run } = importer();
    const report = await run(from, { normalisation: "none" });
    const overrides = { quickGelu: true, preprocessing: { resizeMode: "squash", normalisation: "none" } };
    expect(report).toMatchObject({ normalisation: { mean: [0, 0, 0], std: [1, 1, 1] }, overrides });
    expect(JSON.parse(readFileSync(join(modelsFolder, "vit", OVERRIDES), "utf8"))).toEqual(overrides);
    expect(readFileSync(join(from, OVERRIDES), "utf8")).not.toContain("normalisation");
  });

  test("can come from a file, also for a lone file of weights", async () => {
    const from = source("vit");
    const overrides = join(temporaryFolder(), "said.json");
    writeFileSync(overrides, '{"quickGelu": true}');
    const { run } = importer();
    const [folder, file] = [
      await run(from, { overrides }),
      await run(join(from, WEIGHTS), { overrides, name: "file" }),
    ];
    expect([folder.overrides, file.overrides]).toEqual([{ quickGelu: true }, { quickGelu: true }]);
    writeFileSync(overrides, '{"quick": true}');
    expect(await rejection(run(from, { overrides, name: "wrong" }))).toMatchObject({
      code: "INVALID_CHECKPOINT",
    });
  });
});

describe("a file of weights", () => {
  test.each(["epoch_30.safetensors", "model.safetensors"])(
    "called %s is imported with what lies beside it",
    async (file) => {
      const from = source("vit", join(temporaryFolder(), "run-7"));
      renameSync(join(from, WEIGHTS), join(from, file));
      const { modelsFolder, run } = importer();
      const { name } = await run(join(from, file));
      expect(name).toBe(file.startsWith("epoch") ? "epoch_30" : "run-7");
      expect(below(modelsFolder)).toEqual(FILES.map((to) => `${name}/${to}`));
    },
  );

  test("is imported with a configuration and a tokenizer from elsewhere", async () => {
    const from = source("vit");
    const alone = join(temporaryFolder(), "weights.safetensors");
    renameSync(join(from, WEIGHTS), alone);
    const { run } = importer();
    expect(await rejection(run(alone))).toMatchObject({ code: "INVALID_CHECKPOINT" });
    const report = await run(alone, { config: join(from, CONFIG), tokenizer: join(from, TOKENIZER) });
    expect(report).toMatchObject({ name: "weights", files: FILES });
  });

  test.each([
    ["picture.png", "BAD_USER_INPUT"],
    ["nothing.safetensors", "NOT_FOUND"],
  ])("that is %s is refused", async (file, code) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "picture.png"), "");
    expect(await rejection(importer().run(join(folder, file)))).toMatchObject({ code });
  });
});

describe("an import that fails", () => {
  test("its self-test leaves nothing, and what it was to replace as it was", async () => {
    const { modelsFolder, run } = importer();
    await run(source("vit"));
    const before = readFileSync(join(modelsFolder, "vit", WEIGHTS));
    const bad = source("vit");
    poison(bad);
    expect(await rejection(run(bad, { name: "bad" }))).toMatchObject({
      code: "INVALID_CHECKPOINT",
      message: expect.stringContaining("imageFinite"),
    });
    expect(await rejection(run(bad, { replace: true }))).toMatchObject({ code: "INVALID_CHECKPOINT" });
    expect(below(modelsFolder)).toEqual(FILES.map((file) => `vit/${file}`));
    expect(readFileSync(join(modelsFolder, "vit", WEIGHTS)).equals(before)).toBe(true);
  });

  test("because the name is taken says so before anything is read", async () => {
    const { modelsFolder, run } = importer();
    mkdirSync(join(modelsFolder, "vit"));
    expect(await rejection(run("hf:owner/model", { name: "vit" }))).toMatchObject({
      code: "VALIDATION_FAILED",
      message: expect.stringContaining("--replace"),
    });
  });

  test("because another of the same name was quicker leaves that one", async () => {
    const { modelsFolder, run } = importer();
    const outcomes = await Promise.allSettled([run(source("vit")), run(source("vit"))]);
    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    expect(failed).toMatchObject([{ reason: { code: "VALIDATION_FAILED" } }]);
    expect(below(modelsFolder)).toEqual(FILES.map((file) => `vit/${file}`));
  });

  test.each(["..", "a/b", ".antidote", "-x", ""])("because %j is no name leaves nothing", async (name) => {
    const { modelsFolder, run } = importer();
    expect(await rejection(run(source("vit"), { name }))).toMatchObject({ code: "VALIDATION_FAILED" });
    expect(below(dirname(join(modelsFolder, "x")))).toEqual([]);
  });

  test("for an unknown format names those that there are", async () => {
    expect(await rejection(importer().run(source("vit"), { format: "gguf" }))).toMatchObject({
      code: "BAD_USER_INPUT",
      message: expect.stringContaining("safetensors, onnx, pickled, open-clip"),
    });
  });
});

test("another model of the same name is replaced when asked", async () => {
  const { modelsFolder, run } = importer();
  const first = await run(source("vit"));
  const second = await run(source("resnet"), { name: "vit", replace: true });
  expect(second.weights).not.toBe(first.weights);
  expect(below(modelsFolder)).toEqual(FILES.map((file) => `vit/${file}`));
  const note = JSON.parse(readFileSync(join(modelsFolder, ".antidote/imports/vit.json"), "utf8"));
  expect(note.weights).toBe(second.weights);
});

describe("a repository of the hub", () => {
  const repository = (place: string, changes: Partial<Repository> = {}): Repository => ({
    ...changes,
    files: {
      ...Object.fromEntries(
        FILES.map((file) => [place + file, new Uint8Array(readFileSync(join(FIXTURES, "vit", file)))]),
      ),
      [`${place}README.md`]: new TextEncoder().encode("# A model"),
      ...changes.files,
    },
  });

  test("is downloaded without what is not needed, and named by its commit", async () => {
    const hub = await startHub({ "owner/tiny-clip": repository("") });
    const { modelsFolder, run } = importer(undefined, hub.url);
    const report = await run("hf:owner/tiny-clip@main");
    expect(report).toMatchObject({
      name: "tiny-clip",
      source: `hf:owner/tiny-clip@${COMMIT}`,
      leftOut: ["README.md"],
    });
    expect(below(modelsFolder)).toEqual(FILES.map((file) => `tiny-clip/${file}`));
    expect(hub.requests.map(({ path }) => path).filter((path) => path.includes("README"))).toEqual([]);
  });

  test("may keep it in a folder, or be asked for one file", async () => {
    const hub = await startHub({ "owner/many": repository("vit/") });
    const { run } = importer(undefined, hub.url);
    expect((await run("hf:owner/many/vit")).name).toBe("vit");
    expect((await run(`hf:owner/many/vit/${WEIGHTS}`)).name).toBe("many");
    expect(await rejection(run("hf:owner/many/resnet"))).toMatchObject({ code: "NOT_FOUND" });
    expect(await rejection(run("hf:owner/many"))).toMatchObject({ code: "INVALID_CHECKPOINT" });
  });

  test("whose download breaks off is gone on with", async () => {
    const hub = await startHub({
      "owner/tiny": repository("", {
        behaviours: {
          [WEIGHTS]: [
            { kind: "cut", after: 50_000 },
            ...Array(5).fill({ kind: "status", status: 502 }),
            { kind: "whole" },
          ],
        },
      }),
    });
    const { modelsFolder, run } = importer(undefined, hub.url);
    expect(await rejection(run("hf:owner/tiny"))).toMatchObject({ code: "DOWNLOAD_FAILED" });
    expect(existsSync(join(modelsFolder, "tiny"))).toBe(false);
    expect(below(modelsFolder).some((path) => path.endsWith(".part"))).toBe(true);
    await run("hf:owner/tiny");
    expect(below(modelsFolder)).toEqual(FILES.map((file) => `tiny/${file}`));
  });

  test("with a checkpoint that is not sound leaves nothing", async () => {
    const hub = await startHub({
      "owner/tiny": repository("", { files: { [CONFIG]: new TextEncoder().encode("{}") } }),
    });
    const { modelsFolder, run } = importer(undefined, hub.url);
    expect(await rejection(run("hf:owner/tiny"))).toMatchObject({ code: "INVALID_CHECKPOINT" });
    expect(below(modelsFolder)).toEqual([]);
  });

  test.each(["hf:model", "hf:a/b/../c", "hf:../b", "hf:a/b@..", "hf:a b/c", "hf:"])(
    "cannot be %j",
    async (name) => {
      expect(await rejection(importer().run(name))).toMatchObject({ code: "BAD_USER_INPUT" });
    },
  );
});
