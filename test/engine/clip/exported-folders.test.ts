import { copyFile, cp, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { dependenceOf } from "../../../src/engine/clip/exported/dependence.ts";
import { exportedLogitScale } from "../../../src/engine/clip/exported/logit-scale.ts";
import { huggingFaceOnnx } from "../../../src/engine/clip/formats/hugging-face-onnx.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { encodeModel } from "../../../src/engine/onnx/codec.ts";
import { withFolder } from "./fixtures.ts";

const EXPORTS = join(__dirname, "../../fixtures/onnx-exports");

async function withExport<Result>(name: string, use: (folder: string) => Promise<Result>): Promise<Result> {
  return withFolder(async (folder) => {
    await cp(join(EXPORTS, name), join(folder, name), { recursive: true });
    return use(join(folder, name));
  });
}

/** A model of one tower, whatever it computes. */
async function writeTower(path: string, build: (g: GraphBuilder) => void): Promise<void> {
  const g = new GraphBuilder({ name: "tower" });
  build(g);
  await writeFile(path, encodeModel(g.build()));
}

test.each([
  [3, Math.exp(3)],
  [100, 100],
  [1e9, undefined],
  [Number.POSITIVE_INFINITY, undefined],
])("an output that says that the logit scale is %d", (value, scale) => {
  const g = new GraphBuilder();
  g.output(g.constant(value), "logit_scale");
  const graph = g.build();
  const found = exportedLogitScale(graph, dependenceOf(graph));
  expect(found).toEqual(scale === undefined ? undefined : expect.closeTo(scale, 4));
});

describe("a folder with ONNX exports", () => {
  test("is opened without a configuration, by what the graphs tell", async () => {
    const checkpoint = await openCheckpoint(join(EXPORTS, "open-clip-17"));
    expect(checkpoint.format).toBe("ONNX");
    expect(checkpoint.architecture).toMatchObject({
      embeddingWidth: 20,
      image: { kind: "exported", imageSize: { height: 28, width: 40 } },
      text: {
        kind: "exported",
        contextLength: 17,
        vocabulary: 25,
        width: 24,
        pooling: { kind: "argmax" },
      },
    });
    expect(checkpoint.assumptions).toEqual([expect.stringMatching(/logit scale; 100 is taken/)]);
  });

  test("has a digest over every file that holds weights", async () => {
    const { files, weightsDigest } = await openCheckpoint(join(EXPORTS, "towers-14"));
    expect(files).toEqual(
      expect.arrayContaining(["onnx/vision_model.onnx_data", "onnx/text_model.1.weight"]),
    );
    const digest = await weightsDigest();
    await withExport("towers-14", async (folder) => {
      expect(await (await openCheckpoint(folder)).weightsDigest()).toBe(digest);
      const weight = join(folder, "onnx/text_model.1.weight");
      const bytes = await readFile(weight);
      bytes[0] ^= 1;
      await writeFile(weight, bytes);
      expect(await (await openCheckpoint(folder)).weightsDigest()).not.toBe(digest);
    });
  });

  test.each<[readonly string[], readonly string[]]>([
    [
      [
        "README.md",
        "config.json",
        "model.safetensors",
        "onnx/model.onnx",
        "onnx/model.onnx_data",
        "onnx/model_fp16.onnx",
      ],
      ["config.json", "onnx/model.onnx", "onnx/model.onnx_data"],
    ],
    [
      [
        "onnx/text_model.onnx",
        "onnx/text_model_int8.onnx",
        "onnx/vision_model.onnx",
        "onnx/weights.bin",
        "vocab.json",
        "merges.txt",
      ],
      ["onnx/text_model.onnx", "onnx/vision_model.onnx", "onnx/weights.bin", "vocab.json", "merges.txt"],
    ],
    [
      [
        "model.onnx",
        "model.onnx.data",
        "pytorch_model.bin",
        "model_fp16.onnx.data",
        "onnx::MatMul_12",
        "tokenizer.json",
      ],
      ["model.onnx", "model.onnx.data", "onnx::MatMul_12", "tokenizer.json"],
    ],
  ])("of a listing %j wants %j", (files, wanted) => {
    expect(huggingFaceOnnx.recognises(files)).toBe(true);
    expect([...huggingFaceOnnx.wanted(files)].sort()).toEqual([...wanted].sort());
  });

  test("may be links side by side, as in Hugging Face's cache", async () => {
    await withFolder(async (cache) => {
      await mkdir(join(cache, "blobs"));
      await mkdir(join(cache, "snapshot"));
      for (const file of [
        "model.onnx",
        "model.onnx.data",
        "config.json",
        "tokenizer.json",
        "preprocessor_config.json",
      ]) {
        await copyFile(join(EXPORTS, "both-18-dynamo", file), join(cache, "blobs", `${file.length}-${file}`));
        await symlink(`../blobs/${file.length}-${file}`, join(cache, "snapshot", file));
      }
      const checkpoint = await openCheckpoint(join(cache, "snapshot"));
      expect(checkpoint.tensors.get("token_embedding.weight")?.parts[0].file).toBe(
        "blobs/15-model.onnx.data",
      );
    });
  });

  test("is unsafe where its weights are a link to elsewhere", async () => {
    await withExport("both-18-dynamo", async (folder) => {
      await rename(join(folder, "model.onnx.data"), join(folder, "../elsewhere"));
      await symlink("../elsewhere", join(folder, "model.onnx.data"));
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        code: "UNSAFE_ARTIFACT",
        details: { file: "model.onnx.data" },
      });
    });
  });

  test("is unsafe where its weights lie in a linked folder", async () => {
    await withExport("both-18-dynamo", async (folder) => {
      await mkdir(join(folder, "../elsewhere"));
      await symlink("../elsewhere", join(folder, "linked"));
      await writeFile(join(folder, "../elsewhere/weights"), Buffer.alloc(4096));
      const g = new GraphBuilder({ name: "linked" });
      const storage = { kind: "file", file: "linked/weights", offset: 0, length: 4096 } as const;
      g.output(g.identity(g.initializer("w", "float32", [1024], storage)), "y");
      await writeFile(join(folder, "model.onnx"), encodeModel(g.build()));
      await expect(openCheckpoint(folder)).rejects.toMatchObject({ code: "UNSAFE_ARTIFACT" });
    });
  });

  test.each<[string, string, string, (folder: string) => Promise<void>, RegExp]>([
    [
      "weights that are gone",
      "both-18-dynamo",
      "INVALID_CHECKPOINT",
      (folder) => rm(join(folder, "model.onnx.data")),
      /model\.onnx\.data is missing/,
    ],
    [
      "weights that are cut off",
      "both-18-dynamo",
      "INVALID_CHECKPOINT",
      (folder) => truncate(join(folder, "model.onnx.data"), 5000),
      /truncated/,
    ],
    [
      "a model that is no model",
      "both-11",
      "INVALID_GRAPH",
      (folder) => writeFile(join(folder, "onnx/model.onnx"), "no model"),
      /not an ONNX model/,
    ],
    [
      "the text tower gone",
      "towers-14",
      "INVALID_CHECKPOINT",
      (folder) => rm(join(folder, "onnx/text_model.onnx")),
      /None of onnx\/vision_model\.onnx takes token ids/,
    ],
    [
      "quantised exports only",
      "both-11",
      "INVALID_CHECKPOINT",
      (folder) => rename(join(folder, "onnx/model.onnx"), join(folder, "onnx/model_quantized.onnx")),
      /only quantised exports/,
    ],
    [
      "a configuration of another model",
      "both-11",
      "INVALID_CHECKPOINT",
      async (folder) => {
        const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
        config.text_config.hidden_size = 64;
        await writeFile(join(folder, "config.json"), JSON.stringify(config));
      },
      /token vectors of 32.*says 64/,
    ],
    [
      "a logit scale beyond all use",
      "towers-14",
      "INVALID_CHECKPOINT",
      async (folder) => {
        const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
        await writeFile(
          join(folder, "config.json"),
          JSON.stringify({ ...config, logit_scale_init_value: 80 }),
        );
      },
      /logit_scale_init_value is beyond log 10000/,
    ],
    [
      "an image tower without its projection",
      "towers-14",
      "INVALID_CHECKPOINT",
      (folder) =>
        writeTower(join(folder, "onnx/vision_model.onnx"), (g) => {
          const pixels = g.input("pixel_values", [2, 3, 36, 36]);
          g.output(g.reshape(pixels, [2, 81, 48]), "last_hidden_state");
          g.output(g.reduceMean(pixels, [2, 3]), "pooler_output");
        }),
      /last_hidden_state, pooler_output.*projection.*missing.*CLIPVisionModelWithProjection/,
    ],
    [
      "towers of different widths",
      "towers-14",
      "INVALID_CHECKPOINT",
      (folder) =>
        writeTower(join(folder, "onnx/vision_model.onnx"), (g) => {
          g.output(g.reduceMean(g.input("pixel_values", [2, 3, 36, 36]), [2, 3]), "image_embeds");
        }),
      /embeddings of 3 and the text tower of 24/,
    ],
    [
      "a text tower without a table of tokens",
      "towers-14",
      "INVALID_CHECKPOINT",
      (folder) =>
        writeTower(join(folder, "onnx/text_model.onnx"), (g) => {
          const ids = g.cast(g.input("input_ids", [2, 12], "int64"), "float32");
          g.output(g.reduceMean(g.reshape(ids, [2, 3, 4]), [2]), "text_embeds");
        }),
      /looks its token ids up in no table/,
    ],
  ])("with %s is refused, saying so", async (_name, model, code, damage, message) => {
    await withExport(model, async (folder) => {
      await damage(folder);
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      });
    });
  });
});
