import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import { tokenEmbeddings } from "../../../src/engine/clip/token-embeddings.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { AppError } from "../../../src/errors.ts";
import { FIXTURES, OPEN_CLIP_MODELS, randomlyDamaged, withCopy } from "./fixtures.ts";

const CONFIG = "open_clip_config.json";
const WEIGHTS = "open_clip_model.safetensors";
const TOKENIZER = "tokenizer.json";

test.each(OPEN_CLIP_MODELS)("opens %s as open_clip wrote it", async (model) => {
  const checkpoint = await openCheckpoint(join(FIXTURES, model));
  expect(checkpoint).toMatchObject({
    name: model,
    format: "open_clip",
    files: [CONFIG, WEIGHTS, TOKENIZER],
    unusedTensors: [],
  });
  expect([...checkpoint.tensors.keys()]).toContain("token_embedding.weight");
  expect(checkpoint.logitScale).toBeCloseTo(20, 4);
  const weights = readFileSync(join(FIXTURES, model, WEIGHTS));
  expect(await checkpoint.weightsDigest()).toBe(createHash("sha256").update(weights).digest("hex"));
});

test("reads the table of token vectors", async () => {
  const checkpoint = await openCheckpoint(join(FIXTURES, "resnet"));
  const table = await tokenEmbeddings(checkpoint);
  expect(table).toMatchObject({ width: 32, vocabulary: checkpoint.architecture.text.vocabulary });
  expect(table.row(3)).toHaveLength(32);
  expect(table.row(3)).not.toEqual(table.row(4));
});

test("reports the tensors that it does not read", async () => {
  await withCopy("resnet", async (folder) => {
    await renameTensor(folder, "logit_scale", "extra_scale");
    await renameTensor(folder, "bn1.num_batches_tracked", "bn1.num_batches_counted");
    await expect(openCheckpoint(folder)).rejects.toMatchObject({ details: { tensor: "logit_scale" } });
    await renameTensor(folder, "extra_scale", "logit_scale");
    expect((await openCheckpoint(folder)).unusedTensors).toEqual(["visual.bn1.num_batches_counted"]);
  });
});

describe("a damaged checkpoint is a typed error that names what is wrong", () => {
  const invalid = "INVALID_CHECKPOINT";
  const projection = "text_projection";
  const cases: [string, (folder: string) => Promise<unknown>, string, Record<string, unknown>][] = [
    ["no folder", (folder) => rm(folder, { recursive: true }), invalid, { folder: "resnet" }],
    ["no configuration", (folder) => rm(join(folder, CONFIG)), invalid, { folder: "resnet" }],
    ["no weights", (folder) => rm(join(folder, WEIGHTS)), invalid, { folder: "resnet" }],
    ["no tokenizer", (folder) => rm(join(folder, TOKENIZER)), invalid, { file: TOKENIZER }],
    ["weights behind a link that leads nowhere", link("nowhere"), invalid, { folder: "resnet" }],
    ["a configuration that is not JSON", write(CONFIG, "{"), invalid, { file: CONFIG }],
    ["a configuration without a model", write(CONFIG, "{}"), invalid, { file: CONFIG, key: "embed_dim" }],
    [
      "an unknown tower",
      edit(CONFIG, '"embed_dim"', '"multimodal_cfg": {"a": 1}, "embed_dim"'),
      "UNSUPPORTED_ARCHITECTURE",
      { key: "model_cfg.multimodal_cfg" },
    ],
    ["a tokenizer that is not JSON", write(TOKENIZER, "[["), invalid, { file: TOKENIZER }],
    ["a tokenizer without a model", write(TOKENIZER, "{}"), invalid, { file: TOKENIZER }],
    ["empty weights", write(WEIGHTS, ""), invalid, { file: WEIGHTS }],
    ["weights that are text", write(WEIGHTS, "version https://git-lfs\n"), invalid, { file: WEIGHTS }],
    [
      "weights without their second half",
      (folder) => truncate(join(folder, WEIGHTS), 200_000),
      invalid,
      { file: WEIGHTS },
    ],
    [
      "weights without their last byte",
      (folder) => truncate(join(folder, WEIGHTS), 478_603),
      invalid,
      { file: WEIGHTS, tensor: "visual.layer4.0.downsample.1.weight" },
    ],
    [
      "a missing tensor",
      (folder) => renameTensor(folder, projection, "text_proiection"),
      invalid,
      { file: WEIGHTS, tensor: projection, expected: [32, 24] },
    ],
    [
      "another width",
      edit(CONFIG, '"embed_dim": 24', '"embed_dim": 20'),
      invalid,
      { file: WEIGHTS, tensor: "visual.attnpool.c_proj.weight", expected: [20, 128], found: [24, 128] },
    ],
    [
      "another context",
      edit(CONFIG, '"context_length": 12', '"context_length": 16'),
      invalid,
      { tensor: "positional_embedding", found: [12, 32] },
    ],
    [
      "another image size",
      edit(CONFIG, '"image_size": 64', '"image_size": 96'),
      invalid,
      { tensor: "visual.attnpool.positional_embedding" },
    ],
    [
      "a tensor of whole numbers",
      (folder) => retypeTensor(folder, "ln_final.bias"),
      invalid,
      { tensor: "ln_final.bias", dtype: "I32" },
    ],
    [
      "a tokenizer with more words than vectors",
      edit(TOKENIZER, '"tree": 16', '"tree": 99'),
      invalid,
      { file: TOKENIZER },
    ],
    [
      "a tokenizer whose end is not the highest id",
      edit(TOKENIZER, '"id": 19, "content": "<end_of_text>"', '"id": 5, "content": "<end_of_text>"'),
      invalid,
      { file: TOKENIZER },
    ],
    [
      "a tokenizer without a frame",
      edit(TOKENIZER, '"TemplateProcessing"', '"Unheard"'),
      invalid,
      { file: TOKENIZER },
    ],
  ];

  test.each(cases)("%s", async (_, damage, code, details) => {
    await withCopy("resnet", async (folder) => {
      await damage(folder);
      const error = await openAll(folder).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: "AppError", code, details });
      for (const word of Object.values(details).filter((value) => typeof value === "string")) {
        expect((error as Error).message).toContain(word);
      }
    });
  });

  test.each([CONFIG, WEIGHTS, TOKENIZER])("random changes in %s", async (file) => {
    await withCopy("vit-16-bit", async (folder) => {
      const path = join(folder, file);
      const whole = await readFile(path);
      for (let round = 0; round < 60; round++) {
        await writeFile(path, randomlyDamaged(whole, randomStream(round, file)));
        const result = await openAll(folder).catch((reason: unknown) => reason);
        expect(result instanceof AppError || "weightsDigest" in (result as object)).toBe(true);
      }
    });
  });

  test.each([Number.NaN, 30, 80])("a scale whose logarithm is %s", async (logarithm) => {
    await withCopy("resnet", async (folder) => {
      const { offset } = (await readSafetensors(join(folder, WEIGHTS))).tensors.get("logit_scale")!;
      const bytes = await readFile(join(folder, WEIGHTS));
      bytes.writeFloatLE(logarithm, offset);
      await writeFile(join(folder, WEIGHTS), bytes);
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        code: invalid,
        details: { tensor: "logit_scale" },
      });
    });
  });
});

/** Opens a checkpoint, and its tokenizer, which waits until it is needed. */
async function openAll(folder: string): Promise<Checkpoint> {
  const checkpoint = await openCheckpoint(folder);
  checkpoint.tokenizer.encode("a red dog");
  return checkpoint;
}

function write(file: string, content: string) {
  return (folder: string) => writeFile(join(folder, file), content);
}

function edit(file: string, from: string, to: string) {
  return async (folder: string) => {
    const content = await readFile(join(folder, file), "utf8");
    expect(content).toContain(from);
    await writeFile(join(folder, file), content.replace(from, to));
  };
}

function link(target: string) {
  return async (folder: string) => {
    await rename(join(folder, WEIGHTS), join(folder, "elsewhere"));
    await symlink(target, join(folder, WEIGHTS));
  };
}

/** Replaces text of equal length in the weights' header. */
async function editHeader(folder: string, from: string, to: string): Promise<void> {
  const bytes = await readFile(join(folder, WEIGHTS), "latin1");
  expect(to).toHaveLength(from.length);
  expect(bytes).toContain(from);
  await writeFile(join(folder, WEIGHTS), bytes.replace(from, to), "latin1");
}

function renameTensor(folder: string, from: string, to: string): Promise<void> {
  return editHeader(folder, `${from}"`, `${to}"`);
}

function retypeTensor(folder: string, name: string): Promise<void> {
  return editHeader(folder, `"${name}":{"dtype":"F32"`, `"${name}":{"dtype":"I32"`);
}
