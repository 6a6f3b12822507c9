import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../src/engine/autodiff/gradients.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { imageProgram, textProgram } from "../../../src/engine/clip/programs.ts";
import { selfTest } from "../../../src/engine/clip/self-test.ts";
import { tokenEmbeddings } from "../../../src/engine/clip/token-embeddings.ts";
import { imageEmbedding, textEmbedding } from "../../../src/engine/clip/towers.ts";
import { encodePrompts } from "../../../src/engine/clip/zero-shot.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { float32, type Tensor } from "../../../src/engine/onnx/tensor.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { cosine, readGolden, relativeError } from "./fixtures.ts";

const EXPORTS = join(__dirname, "../../fixtures/onnx-exports");

/** Every export, with the checkpoint of ../fixtures/clip whose weights it has, and what it lacks. */
const MODELS = [
  { name: "both-11", base: "hugging-face" },
  { name: "towers-14", base: "hugging-face", scale: false },
  { name: "both-18-dynamo", base: "hugging-face" },
  { name: "both-20-fixed", base: "hugging-face-sharded" },
  // The numbers in its graph have 16 bits too, that of its QuickGELU among them.
  { name: "both-17-fp16", base: "hugging-face-fp16", embeddings: 1e-4, gradients: 1e-3 },
  { name: "open-clip-17", base: "vit", scale: false },
  { name: "open-clip-16-fixed", base: "resnet" },
] as const;

describe.each(MODELS)("the export $name", ({ name, base, ...rest }) => {
  const { embeddings: embeddingTolerance, gradients: gradientTolerance } = {
    embeddings: 1e-5,
    gradients: 5e-6,
    ...rest,
  };

  test("embeds images as the library did, at a given batch and in a program for any", async () => {
    const { checkpoint, golden } = await load(name, base);
    expect(checkpoint.exported).toBeDefined();
    for (const batch of [2, "dynamic"] as const) {
      const { embedding } = await run(imageProgram(checkpoint, { batch }), {
        pixels: pixels(checkpoint, golden),
      });
      expect(relativeError(embedding, golden.images)).toBeLessThan(embeddingTolerance);
    }
  });

  test("embeds texts as the library did, also where prompts are cut after their longest end", async () => {
    const { checkpoint, golden } = await load(name, base);
    const prompts = promptsOf(checkpoint, golden);
    for (const length of [
      Math.max(...prompts.map((ids) => ids.length)),
      checkpoint.architecture.text.contextLength,
    ]) {
      const { tokens, endOfText } = encodePrompts(prompts, await tokenEmbeddings(checkpoint), length);
      const { embedding } = await run(textProgram(checkpoint, { classes: 3, length }), { tokens, endOfText });
      expect(relativeError(embedding, golden.texts)).toBeLessThan(embeddingTolerance);
    }
  });

  test("has PyTorch's gradients with respect to pixels and token vectors", async () => {
    const { checkpoint, golden } = await load(name, base);
    const { contextLength } = checkpoint.architecture.text;
    const prompts = encodePrompts(
      promptsOf(checkpoint, golden),
      await tokenEmbeddings(checkpoint),
      contextLength,
    );
    const feeds = {
      pixels: pixels(checkpoint, golden),
      tokens: prompts.tokens,
      endOfText: prompts.endOfText,
    };
    const scale = golden.scale[0];
    const { loss, byPixels, byTokens } = await run(crossEntropyProgram(checkpoint, golden, scale), feeds);
    expect(loss[0]).toBeCloseTo(golden.loss[0], 3);
    if (base === "resnet") expect(cosine(byPixels, golden.by_pixels)).toBeGreaterThan(0.9999);
    else expect(relativeError(byPixels, golden.by_pixels)).toBeLessThan(gradientTolerance);
    expect(relativeError(byTokens, golden.by_tokens)).toBeLessThan(gradientTolerance);
  });

  test("has the logit scale, or says that it has not", async () => {
    const { checkpoint, golden } = await load(name, base);
    const missing = "scale" in rest;
    expect(checkpoint.assumptions ?? []).toHaveLength(missing ? 1 : 0);
    if (!missing) expect(checkpoint.logitScale).toBeCloseTo(golden.scale[0], 2);
  });

  test("passes the self-test", async () => {
    const { checkpoint } = await load(name, base);
    const result = await selfTest(
      (program) => openSession(program, { device: "cpu", threads: 1 }),
      checkpoint,
    );
    expect(result.checks.filter(({ passed }) => !passed)).toEqual([]);
  });

  test("keeps its weights in its files", async () => {
    const { checkpoint } = await load(name, base);
    const { graph } = imageProgram(checkpoint, { batch: 2 });
    const constants = [...graph.initializers.values()];
    const inline = constants.flatMap(({ storage }) =>
      storage.kind === "inline" ? [storage.bytes.length] : [],
    );
    const stored = constants.flatMap(({ storage }) => (storage.kind === "file" ? [storage.length] : []));
    expect(Math.max(...inline)).toBeLessThan(512);
    expect(Math.max(...stored)).toBeGreaterThan(1024);
  });
});

type Golden = Record<string, number[]>;

async function load(name: string, base: string): Promise<{ checkpoint: Checkpoint; golden: Golden }> {
  const [checkpoint, golden] = [await openCheckpoint(join(EXPORTS, name)), await readGolden(base)];
  const { logitScale } = await openCheckpoint(join(EXPORTS, "../clip", base));
  return { checkpoint, golden: { ...golden, scale: [logitScale] } };
}

function pixels(checkpoint: Checkpoint, golden: Golden) {
  const { height, width } = checkpoint.architecture.image.imageSize;
  return float32([2, 3, height, width], golden.pixels);
}

/** The golden token ids without their padding. */
function promptsOf(checkpoint: Checkpoint, golden: Golden): number[][] {
  const length = golden.token_ids.length / 3;
  return [0, 1, 2].map((prompt) => {
    const ids = golden.token_ids.slice(prompt * length, (prompt + 1) * length);
    return ids.slice(0, ids.indexOf(checkpoint.tokenizer.endToken) + 1);
  });
}

/** CE(s · f(x) · Tᵀ, labels) for two images and three prompts, with its gradients. */
function crossEntropyProgram(checkpoint: Checkpoint, golden: Golden, scale: number): Program {
  const g = new GraphBuilder({ name: "cross entropy" });
  const { image, text } = checkpoint.architecture;
  const images = g.input("pixels", [2, 3, image.imageSize.height, image.imageSize.width]);
  const tokens = g.input("tokens", [3, text.contextLength, text.width]);
  const endOfText = g.input("endOfText", [3, text.contextLength, 1]);
  const texts = textEmbedding(g, checkpoint, tokens, endOfText);
  const cosines = g.matmul(imageEmbedding(g, checkpoint, images), g.transpose(texts));
  const labels = golden.labels.flatMap((label) => [0, 1, 2].map((index) => (index === label ? 1 : 0)));
  const picked = g.mul(g.logSoftmax(g.mul(cosines, scale)), g.constant(float32([2, 3], labels)));
  const loss = g.div(g.neg(g.reduceSum(picked)), 2);
  const [byPixels, byTokens] = gradients(g, loss, [images, tokens]);
  g.output(loss, "loss");
  g.output(byPixels, "byPixels");
  g.output(byTokens, "byTokens");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

async function run(program: Program, feeds: Record<string, Tensor>): Promise<Record<string, number[]>> {
  const session = await openSession(program, { device: "cpu", threads: 1 });
  const results = await session.run(feeds);
  await session.close();
  return Object.fromEntries(
    Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]),
  );
}
