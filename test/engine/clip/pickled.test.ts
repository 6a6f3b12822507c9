import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { pickled } from "../../../src/engine/clip/formats/pickled.ts";
import { stateOf, wrapperPrefix } from "../../../src/engine/clip/formats/pickled-state.ts";
import { imageProgram, textProgram } from "../../../src/engine/clip/programs.ts";
import { tokenEmbeddings } from "../../../src/engine/clip/token-embeddings.ts";
import { encodePrompts } from "../../../src/engine/clip/zero-shot.ts";
import { float32, type Tensor } from "../../../src/engine/onnx/tensor.ts";
import type { PlainTensor, PlainValue } from "../../../src/engine/pickle/index.ts";
import { randomStream } from "../../../src/engine/random.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { malicious, wrapped } from "../pickle/fixtures.ts";
import { FIXTURES, readGolden, relativeError, withFolder } from "./fixtures.ts";

const PICKLES = join(FIXTURES, "../pickle");
const TWIN = join(FIXTURES, "vit-16-bit");
const OPEN_CLIP = ["open_clip_config.json", "tokenizer.json"].map((file) => join(TWIN, file));
const HUGGING_FACE_TWIN = join(FIXTURES, "hugging-face-fp16");
const HUGGING_FACE = ["config.json", "preprocessor_config.json", "tokenizer.json"].map((file) =>
  join(HUGGING_FACE_TWIN, file),
);
const from = (folder: string, ...files: string[]) => files.map((file) => join(PICKLES, folder, file));

describe("a pickled model embeds bit by bit as its safetensors twin", () => {
  test.each([
    ["the zip format", "zip.bin", "open_clip_pytorch_model.bin"],
    ["the format before it", "legacy.bin", "open_clip_pytorch_model.bin"],
    ["a training run, with a wrapper's prefix", "training.bin", "epoch_2.pt"],
    ["matrices that lie column by column", "transposed.bin", "model.pth"],
  ])("open_clip's, saved in %s", async (_, source, name) => {
    await withFiles({ ...named(OPEN_CLIP), [name]: join(PICKLES, "open-clip", source) }, async (folder) => {
      const checkpoint = await openCheckpoint(folder);
      const twin = await openCheckpoint(TWIN);
      expect(checkpoint).toMatchObject({
        format: "PyTorch",
        architecture: twin.architecture,
        preprocessing: twin.preprocessing,
        logitScale: twin.logitScale,
        unusedTensors: [],
        assumptions: undefined,
        files: [name, "open_clip_config.json", "tokenizer.json"].sort(),
      });
      expect([...checkpoint.tensors.keys()]).toEqual([...twin.tensors.keys()]);
      expect(await embeddings(checkpoint)).toEqual(await embeddings(twin));
    });
  });

  test.each([
    ["one file", ["pytorch_model.bin"]],
    [
      "shards",
      [
        "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
        "pytorch_model.bin.index.json",
      ],
    ],
  ])("Hugging Face's, in %s", async (_, weights) => {
    await withFiles(named([...HUGGING_FACE, ...from("hugging-face", ...weights)]), async (folder) => {
      const checkpoint = await openCheckpoint(folder);
      const twin = await openCheckpoint(HUGGING_FACE_TWIN);
      const { architecture, preprocessing, logitScale } = twin;
      expect(checkpoint).toMatchObject({ architecture, preprocessing, logitScale, unusedTensors: [] });
      expect(await embeddings(checkpoint)).toEqual(await embeddings(twin));
    });
  });
});

describe("a model as OpenAI published its own, without a configuration", () => {
  const models = ["openai-vit", "openai-resnet"];

  test.each(models)("%s embeds as open_clip says", async (model) => {
    const checkpoint = await openCheckpoint(join(PICKLES, model));
    const golden = await readGolden(join("../pickle", model));
    const { contextLength } = checkpoint.architecture.text;
    const ids = [0, contextLength].map((start) => golden.token_ids.slice(start, start + contextLength));
    const prompts = ids.map((row) => row.slice(0, row.indexOf(checkpoint.tokenizer.endToken) + 1));
    const found = await embeddings(checkpoint, golden.pixels, prompts);
    expect(relativeError(found.images, golden.images)).toBeLessThan(1e-5);
    expect(relativeError(found.texts, golden.texts)).toBeLessThan(1e-5);
    expect(checkpoint.unusedTensors).toEqual([]);
  });

  test("says what it takes for granted, and can be told otherwise", async () => {
    const folder = join(PICKLES, "openai-vit");
    const checkpoint = await openCheckpoint(folder);
    expect(checkpoint.assumptions).toEqual([expect.stringMatching(/QuickGELU.*antidote\.json/)]);
    expect(checkpoint.architecture.text).toMatchObject({ activation: "quick-gelu" });
    expect(checkpoint.preprocessing.mean[0]).toBe(0.48145466);
    const other = await openCheckpoint(folder, { quickGelu: false });
    expect(other.architecture).toMatchObject({ image: { activation: "gelu" }, text: { activation: "gelu" } });
    expect((await embeddings(other)).texts).not.toEqual((await embeddings(checkpoint)).texts);
  });

  test("an explicit configuration wins", async () => {
    const [weights, tokenizer] = from("openai-vit", "ViT.pt", "tokenizer.json");
    await withFiles({ "ViT.pt": weights, "tokenizer.json": tokenizer }, async (folder) => {
      const config = {
        embed_dim: 16,
        vision_cfg: { image_size: 32, layers: 2, width: 64, patch_size: 16, mlp_ratio: 1, head_width: 16 },
        text_cfg: { context_length: 9, vocab_size: 20, width: 64, heads: 2, layers: 1, mlp_ratio: 2 },
      };
      await writeFile(join(folder, "open_clip_config.json"), JSON.stringify(config));
      const { architecture, assumptions } = await openCheckpoint(folder);
      expect(assumptions).toBeUndefined();
      expect(architecture.text).toMatchObject({ activation: "gelu", heads: 2 });
      expect(architecture.image).toMatchObject({ heads: 4 });
    });
  });
});

describe("a folder that cannot be read says why, and what to put there", () => {
  const [weights] = from("open-clip", "zip.bin");

  test.each([
    ["no tokenizer", { "model.pt": weights, ...named(OPEN_CLIP.slice(0, 1)) }, /no tokenizer/],
    ["two models", { ...named(OPEN_CLIP), "a.pt": weights, "b.pt": weights }, /several files.*a\.pt, b\.pt/],
    [
      "no configuration, and no OpenAI's",
      { "model.pt": weights, ...named(OPEN_CLIP.slice(1)) },
      /width 16.*open_clip_config\.json/,
    ],
    [
      "no configuration of Hugging Face's",
      named([...from("hugging-face", "pytorch_model.bin"), HUGGING_FACE[2]]),
      /config\.json is missing/,
    ],
    [
      "channels last",
      { ...named(OPEN_CLIP), ...named(from("open-clip", "channels-last.bin")) },
      /visual\.conv1\.weight.*\.contiguous\(\)/,
    ],
    [
      "no state_dict",
      { ...named(OPEN_CLIP), ...named(from("benign", "metadata-2.pt")) },
      /no state_dict: its keys are epoch, name/,
    ],
    [
      "another model's weights",
      { ...named(OPEN_CLIP), ...named(from("openai-vit", "ViT.pt")) },
      /"visual\.\w+(\.weight)?" has shape \[64/,
    ],
    [
      "a missing shard",
      named([
        ...HUGGING_FACE,
        ...from("hugging-face", "pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"),
      ]),
      /00002-of-00002\.bin is missing/,
    ],
    [
      "a pickle that is cut off",
      { ...named(OPEN_CLIP), "model.pt": join(PICKLES, "make.py") },
      /model\.pt: the file is no PyTorch file/,
    ],
  ])("%s", async (_, files, message) => {
    await withFiles(files, async (folder) => {
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        code: "INVALID_CHECKPOINT",
        message: expect.stringMatching(message),
      });
    });
  });

  test("a malicious pickle is refused by name", async () => {
    const { pickle } = malicious.find(({ name }) => name === "REDUCE of posix.system")!;
    await withFiles(named(OPEN_CLIP), async (folder) => {
      await writeFile(join(folder, "model.pt"), wrapped(pickle, "zip"));
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        code: "UNSAFE_ARTIFACT",
        details: { file: "model.pt", global: "posix.system", opcode: "GLOBAL", position: 2 },
      });
    });
  });
});

describe("the weights in a pickle", () => {
  const tensor: PlainTensor = {
    kind: "tensor",
    dtype: "F32",
    shape: [],
    strides: [],
    file: "a",
    offset: 0,
    length: 4,
  };
  const map = (entries: Record<string, PlainValue>) => new Map(Object.entries(entries));

  test.each([
    ["a state_dict", map({ a: tensor, epoch: 1 })],
    [
      "a training run's",
      map({ state_dict: map({ a: tensor }), loss: tensor, optimizer: map({ b: tensor }) }),
    ],
    ["one within two", map({ model: map({ state_dict: map({ a: tensor }) }) })],
    ["a scripted module", { kind: "record", className: "__torch__.A", fields: map({ a: tensor, b: true }) }],
  ] as [string, PlainValue][])("of %s are found", (_, root) => {
    expect([...stateOf(root, "model.pt").keys()]).toEqual(["a"]);
  });

  test("of two models at once are refused", () => {
    expect(wrapperPrefix(["module.model.logit_scale", "module.model.visual.proj"], "a.pt")).toBe(
      "module.model.",
    );
    expect(() => wrapperPrefix(["student.logit_scale", "teacher.logit_scale"], "a.pt")).toThrow(
      /"student\." and "teacher\."/,
    );
  });
});

test("what a training run leaves beside its weights is not taken for them", () => {
  const files = [
    "open_clip_config.json",
    "optimizer.pt",
    "rng_state.pth",
    "training_args.bin",
    "tokenizer.json",
  ];
  expect(pickled.recognises(files)).toBe(false);
  expect(pickled.wanted([...files, "epoch_3.pt"])).toEqual([
    "open_clip_config.json",
    "tokenizer.json",
    "epoch_3.pt",
  ]);
  expect(pickled.recognises(["onnx/weights.bin"])).toBe(false);
});

/** The files by the names that they have. */
function named(paths: readonly string[]): Record<string, string> {
  return Object.fromEntries(paths.map((path) => [path.slice(path.lastIndexOf("/") + 1), path]));
}

/** A folder with copies of these files, by the names that they get there. */
function withFiles(files: Readonly<Record<string, string>>, use: (folder: string) => Promise<void>) {
  return withFolder(async (parent) => {
    const folder = join(parent, "model");
    await mkdir(folder);
    for (const [name, path] of Object.entries(files)) await copyFile(path, join(folder, name));
    await use(folder);
  });
}

/** What both towers say of two images and some prompts; of fixed ones where none are given. */
async function embeddings(checkpoint: Checkpoint, given?: readonly number[], prompts?: number[][]) {
  const { image, text } = checkpoint.architecture;
  const { height, width } = image.imageSize;
  const random = randomStream(7, "pixels");
  const pixels = given ?? Array.from({ length: 2 * 3 * height * width }, () => random.uniform());
  const texts =
    prompts ?? ["a photo of a cat.", "the red dog"].map((prompt) => checkpoint.tokenizer.encode(prompt));
  const { tokens, endOfText } = await encodePrompts(
    texts,
    await tokenEmbeddings(checkpoint),
    text.contextLength,
  );
  return {
    images: await run(imageProgram(checkpoint, { batch: 2 }), {
      pixels: float32([2, 3, height, width], [...pixels]),
    }),
    texts: await run(textProgram(checkpoint, { classes: texts.length, length: text.contextLength }), {
      tokens,
      endOfText,
    }),
  };
}

async function run(program: Program, feeds: Record<string, Tensor>): Promise<number[]> {
  const session = await openSession(program, { device: "cpu", threads: 1 });
  try {
    return Array.from((await session.run(feeds)).embedding.data as Float32Array);
  } finally {
    await session.close();
  }
}
