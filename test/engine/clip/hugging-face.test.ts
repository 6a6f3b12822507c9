import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { builtArchitecture } from "../../../src/engine/clip/architecture.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { huggingFace } from "../../../src/engine/clip/formats/hugging-face.ts";
import { parseHuggingFaceArchitecture } from "../../../src/engine/clip/formats/hugging-face-config.ts";
import { parseHuggingFacePreprocessing } from "../../../src/engine/clip/formats/hugging-face-preprocessing.ts";
import { imageProgram } from "../../../src/engine/clip/programs.ts";
import { encodeSafetensors, readFloats, readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import { tokenEmbeddings } from "../../../src/engine/clip/token-embeddings.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { AppError } from "../../../src/errors.ts";
import {
  FIXTURES,
  HUGGING_FACE_MODELS,
  randomlyDamaged,
  readGolden,
  relativeError,
  withCopy,
  withFolder,
} from "./fixtures.ts";

const CONFIG = "config.json";
const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const PREPROCESSOR = "preprocessor_config.json";

describe("a Hugging Face checkpoint", () => {
  test.each(HUGGING_FACE_MODELS)(
    "%s is opened by open_clip's names, its weights where they are",
    async (model) => {
      const checkpoint = await openCheckpoint(join(FIXTURES, model));
      const names = await readdir(join(FIXTURES, model));
      expect(checkpoint).toMatchObject({ name: model, format: "Hugging Face", unusedTensors: [] });
      expect(checkpoint.files).toEqual(names.filter((name) => name !== "golden.safetensors").sort());
      expect(checkpoint.logitScale).toBeCloseTo(16, 0);
      const joined = checkpoint.tensors.get("visual.transformer.resblocks.0.attn.in_proj_weight");
      const { width } = builtArchitecture(checkpoint.architecture).image;
      expect(joined).toMatchObject({ shape: [3 * width, width] });
      expect(joined?.parts).toHaveLength(3);
      expect(checkpoint.tensors.get("visual.proj")).toMatchObject({ transposed: true });
      expect(checkpoint.preprocessing).toMatchObject({ mean: [0.5, 0.4, 0.3], cropRounding: "down" });
    },
  );

  test("in shards has a digest of all of them, and of their names", async () => {
    await withCopy("hugging-face-sharded", async (folder) => {
      const digest = await (await openCheckpoint(folder)).weightsDigest();
      expect(digest).toMatch(/^[0-9a-f]{64}$/);
      const index = await readFile(join(folder, INDEX), "utf8");
      await writeFile(join(folder, INDEX), index.replaceAll("model-00002-of-00004", "model-2"));
      await rename(join(folder, "model-00002-of-00004.safetensors"), join(folder, "model-2.safetensors"));
      const renamed = await (await openCheckpoint(folder)).weightsDigest();
      expect(renamed).not.toBe(digest);
    });
  });

  test("is read through the links of the hub's cache, under the names of its snapshot", async () => {
    await withFolder(async (root) => {
      const snapshot = await linkedSnapshot("hugging-face-sharded", join(root, "models--some--clip"));
      const checkpoint = await openCheckpoint(snapshot);
      const plain = await openCheckpoint(join(FIXTURES, "hugging-face-sharded"));
      expect(checkpoint.files).toEqual(plain.files);
      expect(await checkpoint.weightsDigest()).toBe(await plain.weightsDigest());
      expect((await openCheckpoint(checkpoint.folder)).weightsFolder).toBe(checkpoint.weightsFolder);

      const golden = await readGolden("hugging-face-sharded");
      const session = await openSession(imageProgram(checkpoint, { batch: 2 }), {
        device: "cpu",
        threads: 1,
      });
      const { embedding } = await session.run({ pixels: float32([2, 3, 32, 32], golden.pixels) });
      await session.close();
      expect(relativeError(embedding.data as Float32Array, golden.images)).toBeLessThan(1e-5);
      expect((await tokenEmbeddings(checkpoint)).row(5)).toEqual((await tokenEmbeddings(plain)).row(5));
    });
  });

  test("says of a listing what it would read", () => {
    const listing = [
      "README.md",
      CONFIG,
      WEIGHTS,
      "pytorch_model.bin",
      PREPROCESSOR,
      "merges.txt",
      "vocab.json",
    ];
    expect(huggingFace.recognises(listing)).toBe(true);
    expect(huggingFace.wanted(listing)).toEqual([CONFIG, WEIGHTS, PREPROCESSOR, "vocab.json", "merges.txt"]);
    const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    expect(huggingFace.wanted([CONFIG, INDEX, ...shards, "tokenizer.json"])).toEqual(
      expect.arrayContaining([INDEX, ...shards]),
    );
    expect(huggingFace.recognises([CONFIG, "pytorch_model.bin"])).toBe(false);
  });

  test("keeps the positions' numbers, which older exports have, out of what it warns of", async () => {
    await withCopy("hugging-face", async (folder) => {
      const file = await readSafetensors(join(folder, WEIGHTS));
      const tensors = await Promise.all(
        [...file.tensors].map(async ([name, { shape }]) => ({
          name,
          shape,
          data: await readFloats(file, name),
        })),
      );
      const numbers = {
        name: "text_model.embeddings.position_ids",
        shape: [1, 2],
        data: new BigInt64Array(2),
      };
      const other = { name: "text_model.adapter.weight", shape: [1], data: new Float32Array(1) };
      await writeFile(join(folder, WEIGHTS), encodeSafetensors([...tensors, numbers, other]));
      expect((await openCheckpoint(folder)).unusedTensors).toEqual(["text_model.adapter.weight"]);
    });
  });
});

describe("a damaged checkpoint is a typed error that names the file and the key in it", () => {
  const query = "vision_model.encoder.layers.1.self_attn.q_proj.weight";
  const cases: [string, string, (folder: string) => Promise<unknown>, object][] = [
    ["a configuration that is not JSON", "hugging-face", write(CONFIG, "{"), { file: CONFIG }],
    [
      "a missing part of a tensor",
      "hugging-face",
      edit(WEIGHTS, query, query.replace("q_proj", "q_proi")),
      { file: WEIGHTS, tensor: query, expected: [32, 32] },
    ],
    [
      "another width of the common space",
      "hugging-face",
      edit(CONFIG, '"projection_dim": 24', '"projection_dim": 20'),
      { file: WEIGHTS, tensor: "visual_projection.weight", expected: [20, 32], found: [24, 32] },
    ],
    [
      "a shard that is not there",
      "hugging-face-sharded",
      (folder) => rm(join(folder, "model-00003-of-00004.safetensors")),
      { file: "model-00003-of-00004.safetensors" },
    ],
    [
      "a shard outside the folder",
      "hugging-face-sharded",
      edit(INDEX, "model-00003-of-00004.safetensors", "../../secret.safetensors"),
      { file: "../../secret.safetensors" },
    ],
    [
      "the same tensor in two shards",
      "hugging-face-sharded",
      (folder) =>
        cp(
          join(folder, "model-00001-of-00004.safetensors"),
          join(folder, "model-00002-of-00004.safetensors"),
        ),
      { file: "model-00002-of-00004.safetensors", tensor: "text_model.embeddings.token_embedding.weight" },
    ],
    [
      "an index without a map",
      "hugging-face-sharded",
      write(INDEX, "{}"),
      { file: INDEX, key: "weight_map" },
    ],
    [
      "an index of numbers",
      "hugging-face-sharded",
      write(INDEX, '{"weight_map": {"a": 1}}'),
      { file: INDEX, key: "weight_map" },
    ],
    [
      "no tokenizer",
      "hugging-face",
      (folder) => rm(join(folder, "tokenizer.json")),
      { file: "tokenizer.json" },
    ],
    [
      "half a tokenizer",
      "hugging-face-sharded",
      (folder) => rm(join(folder, "merges.txt")),
      { file: "tokenizer.json" },
    ],
    [
      "a crop that is not the model's size",
      "hugging-face",
      edit(PREPROCESSOR, '"height": 36', '"height": 32'),
      { file: PREPROCESSOR, key: "crop_size" },
    ],
  ];

  test.each(cases)("%s", async (_, model, damage, details) => {
    await withCopy(model, async (folder) => {
      await damage(folder);
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        name: "AppError",
        code: "INVALID_CHECKPOINT",
        details,
      });
    });
  });
});

test.each([
  ["hugging-face", CONFIG],
  ["hugging-face", PREPROCESSOR],
  ["hugging-face", WEIGHTS],
  ["hugging-face-sharded", INDEX],
])("%s with random changes in %s opens, or fails with a typed error", async (model, file) => {
  await withCopy(model, async (folder) => {
    const whole = await readFile(join(folder, file));
    for (let round = 0; round < 60; round++) {
      await writeFile(join(folder, file), randomlyDamaged(whole, randomStream(round, file)));
      const result = await openCheckpoint(folder).catch((reason: unknown) => reason);
      expect(result instanceof AppError || "weightsDigest" in (result as object)).toBe(true);
    }
  });
});

test("weights behind a link to another place are read there", async () => {
  await withCopy("hugging-face", async (folder) => {
    await withFolder(async (elsewhere) => {
      await rename(join(folder, WEIGHTS), join(elsewhere, "weights"));
      await symlink(join(elsewhere, "weights"), join(folder, WEIGHTS));
      const checkpoint = await openCheckpoint(folder);
      expect(checkpoint.weightsFolder).not.toBe(checkpoint.folder);
      const plain = await openCheckpoint(join(FIXTURES, "hugging-face"));
      expect(await checkpoint.weightsDigest()).toBe(await plain.weightsDigest());
    });
  });
});

describe("config.json", () => {
  const clip = { model_type: "clip" };

  test("has the library's defaults for what it leaves out", () => {
    expect(parseHuggingFaceArchitecture(clip)).toEqual({
      embeddingWidth: 512,
      image: {
        kind: "vision-transformer",
        imageSize: { height: 224, width: 224 },
        patchSize: 32,
        patches: 49,
        normBeforeBlocks: true,
        pooling: "class-token",
        width: 768,
        layers: 12,
        heads: 12,
        mlpWidth: 3072,
        activation: "quick-gelu",
        normEpsilon: 1e-5,
        layerScale: false,
      },
      text: {
        contextLength: 77,
        vocabulary: 49408,
        width: 512,
        layers: 12,
        heads: 8,
        mlpWidth: 2048,
        activation: "quick-gelu",
        normEpsilon: 1e-5,
        layerScale: false,
        pooling: { kind: "token", token: 49407 },
        paddingToken: 1,
        cleaning: "none",
      },
    });
  });

  test("names a tower twice in older files: the second section wins, with its defaults", () => {
    const text = { hidden_size: 64, num_hidden_layers: 3 };
    const older = {
      ...clip,
      text_config: text,
      text_config_dict: { hidden_size: 128 },
      vision_config_dict: null,
    };
    expect(parseHuggingFaceArchitecture(older).text).toMatchObject({ width: 128, layers: 12 });
    expect(parseHuggingFaceArchitecture({ ...older, text_config_dict: null }).text.layers).toBe(3);
  });

  test("pools the highest id for the end of text that old files name, and else the end itself", () => {
    const pooling = (eos_token_id: number) =>
      parseHuggingFaceArchitecture({ ...clip, text_config: { eos_token_id } }).text.pooling;
    expect(pooling(2)).toEqual({ kind: "argmax" });
    expect(pooling(49407)).toEqual({ kind: "token", token: 49407 });
  });

  test("may hold keys that the library does not read for this model", () => {
    const text_config = { torchscript: false, top_k: 50, bad_words_ids: null };
    expect(() =>
      parseHuggingFaceArchitecture({ ...clip, torch_dtype: "float32", text_config }),
    ).not.toThrow();
  });

  test.each([
    [{ model_type: "siglip" }, "UNSUPPORTED_ARCHITECTURE", "model_type"],
    [{ text_config: { hidden_act: "relu" } }, "UNSUPPORTED_ARCHITECTURE", "text_config.hidden_act"],
    [{ text_config: { eos_token_id: [1, 2] } }, "UNSUPPORTED_ARCHITECTURE", "text_config.eos_token_id"],
    [{ vision_config: { num_channels: 4 } }, "UNSUPPORTED_ARCHITECTURE", "vision_config.num_channels"],
    [{ vision_config: { patch_size: 300 } }, "INVALID_CHECKPOINT", "vision_config.patch_size"],
    [{ vision_config: { hidden_size: 100 } }, "INVALID_CHECKPOINT", "vision_config.num_attention_heads"],
    [{ vision_config: 3 }, "INVALID_CHECKPOINT", "vision_config"],
    [{ text_config: { num_hidden_layers: 1e6 } }, "INVALID_CHECKPOINT", "text_config.num_hidden_layers"],
    [
      { text_config: { max_position_embeddings: 1 } },
      "INVALID_CHECKPOINT",
      "text_config.max_position_embeddings",
    ],
    [{ projection_dim: "512" }, "INVALID_CHECKPOINT", "projection_dim"],
  ])("%j is refused by name", (change, code, key) => {
    expect(() => parseHuggingFaceArchitecture({ ...clip, ...change })).toThrow(
      expect.objectContaining({ code, details: { file: CONFIG, key } }),
    );
  });
});

describe("preprocessor_config.json", () => {
  const size = { height: 16, width: 16 };
  const parse = (json: unknown) => parseHuggingFacePreprocessing(json, size, PREPROCESSOR);

  test("defaults to what CLIP's images are, at the model's size", () => {
    const { mean, std, ...rest } = parse({});
    expect(mean[0]).toBeCloseTo(0.48145466);
    expect(std[2]).toBeCloseTo(0.27577711);
    expect(rest).toEqual({ size, interpolation: "bicubic", resizeMode: "shortest", cropRounding: "down" });
  });

  test("without normalisation leaves pixels as they are", () => {
    expect(parse({ do_normalize: false })).toMatchObject({ mean: [0, 0, 0], std: [1, 1, 1] });
  });

  test("inside a processor's configuration is found there", async () => {
    await withCopy("hugging-face", async (folder) => {
      const plain = await openCheckpoint(folder);
      const inner = await readFile(join(folder, PREPROCESSOR), "utf8");
      await rm(join(folder, PREPROCESSOR));
      await writeFile(join(folder, "processor_config.json"), `{"image_processor": ${inner}}`);
      expect((await openCheckpoint(folder)).preprocessing).toEqual(plain.preprocessing);
      await rm(join(folder, "processor_config.json"));
      expect((await openCheckpoint(folder)).preprocessing.mean[0]).toBeCloseTo(0.48145466);
    });
  });

  test.each([
    [{ do_resize: false }, "UNSUPPORTED_ARCHITECTURE", "do_resize"],
    [{ do_rescale: false }, "UNSUPPORTED_ARCHITECTURE", "do_rescale"],
    [{ rescale_factor: 1 }, "UNSUPPORTED_ARCHITECTURE", "rescale_factor"],
    [{ resample: 0 }, "UNSUPPORTED_ARCHITECTURE", "resample"],
    [{ image_processor_type: "ViTImageProcessor" }, "UNSUPPORTED_ARCHITECTURE", "image_processor_type"],
    [{ size: 12, crop_size: 16 }, "UNSUPPORTED_ARCHITECTURE", "size"],
    [{ size: { longest_edge: 16 } }, "UNSUPPORTED_ARCHITECTURE", "size.longest_edge"],
    [{ do_center_crop: false }, "UNSUPPORTED_ARCHITECTURE", "do_center_crop"],
    [{ crop_size: 12 }, "INVALID_CHECKPOINT", "crop_size"],
    [{ size: { height: 16 } }, "INVALID_CHECKPOINT", "size.width"],
    [{ size: "16" }, "INVALID_CHECKPOINT", "size"],
    [{ image_std: [1, 0, 1] }, "INVALID_CHECKPOINT", "image_std"],
  ])("%j is refused by name", (json, code, key) => {
    expect(() => parse(json)).toThrow(
      expect.objectContaining({ code, details: { file: PREPROCESSOR, key } }),
    );
  });
});

/** A copy of a checkpoint as the hub's cache keeps it: files named by their content, links by their names. */
async function linkedSnapshot(model: string, cache: string): Promise<string> {
  const [blobs, snapshot] = [join(cache, "blobs"), join(cache, "snapshots/0123abcd")];
  await Promise.all([blobs, snapshot].map((folder) => mkdir(folder, { recursive: true })));
  const names = await readdir(join(FIXTURES, model));
  await Promise.all(
    names.map(async (name, index) => {
      await cp(join(FIXTURES, model, name), join(blobs, `blob${index}`));
      await symlink(`../../blobs/blob${index}`, join(snapshot, name));
    }),
  );
  return snapshot;
}

function write(file: string, content: string) {
  return (folder: string) => writeFile(join(folder, file), content);
}

/** Replaces text, in a file of bytes too. */
function edit(file: string, from: string, to: string) {
  return async (folder: string) => {
    const content = await readFile(join(folder, file), "latin1");
    expect(content).toContain(from);
    await writeFile(join(folder, file), content.replace(from, to), "latin1");
  };
}
