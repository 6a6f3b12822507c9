import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../src/engine/autodiff/gradients.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { imageProgram, textProgram } from "../../../src/engine/clip/programs.ts";
import { tokenEmbeddings } from "../../../src/engine/clip/token-embeddings.ts";
import { imageEmbedding, textEmbedding } from "../../../src/engine/clip/towers.ts";
import { encodePrompts } from "../../../src/engine/clip/zero-shot.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { float32, type Tensor } from "../../../src/engine/onnx/tensor.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { cosine, FIXTURES, MODELS, readGolden, relativeError } from "./fixtures.ts";

const EMBEDDING_TOLERANCE = 1e-5;

describe.each(MODELS)("%s against the library", (model) => {
  test("gives the same image embeddings", async () => {
    const { checkpoint, golden } = await load(model);
    const { embedding } = await run(imageProgram(checkpoint, { batch: 2 }), {
      pixels: pixels(checkpoint, golden),
    });
    expect(relativeError(embedding, golden.images)).toBeLessThan(EMBEDDING_TOLERANCE);
  });

  test("gives the same image embeddings at any batch of a dynamic program", async () => {
    const { checkpoint, golden } = await load(model);
    const program = imageProgram(checkpoint, { batch: "dynamic" });
    const { embedding } = await run(program, { pixels: pixels(checkpoint, golden) });
    expect(relativeError(embedding, golden.images)).toBeLessThan(EMBEDDING_TOLERANCE);
  });

  test("gives the same text embeddings", async () => {
    const { checkpoint, golden } = await load(model);
    const { contextLength } = checkpoint.architecture.text;
    const embedding = await embedTexts(checkpoint, golden, contextLength);
    expect(relativeError(embedding, golden.texts)).toBeLessThan(EMBEDDING_TOLERANCE);
  });

  test("gives identical text embeddings when prompts are cut after the longest end of text", async () => {
    const { checkpoint, golden } = await load(model);
    const { contextLength } = checkpoint.architecture.text;
    const prompts = promptsOf(checkpoint, golden).slice(0, 2);
    const longest = Math.max(...prompts.map((ids) => ids.length));
    expect(longest).toBeLessThan(contextLength);
    const cut = await embedPrompts(checkpoint, prompts, longest);
    expect(cut).toEqual(await embedPrompts(checkpoint, prompts, contextLength));
  });

  test("gives the same gradients with respect to pixels and token vectors", async () => {
    const { checkpoint, golden } = await load(model);
    const { contextLength } = checkpoint.architecture.text;
    const { tokens, endOfText } = await encoded(checkpoint, promptsOf(checkpoint, golden), contextLength);
    const feeds = { pixels: pixels(checkpoint, golden), tokens, endOfText };
    const { loss, byPixels, byTokens } = await run(crossEntropyProgram(checkpoint, golden), feeds);

    expect(loss[0]).toBeCloseTo(golden.loss[0], 4);
    if (checkpoint.architecture.image.kind === "resnet") {
      // A unit of a ReLU network that is nearly zero may pass its gradient or not: no two implementations agree.
      expect(cosine(byPixels, golden.by_pixels)).toBeGreaterThan(0.9999);
    } else {
      expect(relativeError(byPixels, golden.by_pixels)).toBeLessThan(5e-6);
    }
    expect(relativeError(byTokens, golden.by_tokens)).toBeLessThan(5e-6);
  });
});

test("a prompt longer than the context is refused", async () => {
  const checkpoint = await openCheckpoint(join(FIXTURES, "resnet"));
  expect(() => textProgram(checkpoint, { classes: 1, length: 13 })).toThrow(/13 tokens.*context of 12/);
});

test("no constant of an encoder is a copy of a weight", async () => {
  const { graph } = imageProgram(await openCheckpoint(join(FIXTURES, "vit")), { batch: "dynamic" });
  const inline = [...graph.initializers.values()].filter(({ storage }) => storage.kind === "inline");
  expect(
    Math.max(...inline.map(({ storage }) => (storage.kind === "inline" ? storage.bytes.length : 0))),
  ).toBeLessThan(100);
});

type Golden = Record<string, number[]>;

async function load(model: string): Promise<{ checkpoint: Checkpoint; golden: Golden }> {
  return { checkpoint: await openCheckpoint(join(FIXTURES, model)), golden: await readGolden(model) };
}

function pixels(checkpoint: Checkpoint, golden: Golden) {
  const { height, width } = checkpoint.architecture.image.imageSize;
  return float32([2, 3, height, width], golden.pixels);
}

/** The golden token ids without their padding. */
function promptsOf(checkpoint: Checkpoint, golden: Golden): number[][] {
  const { contextLength } = checkpoint.architecture.text;
  return [0, 1, 2].map((prompt) => {
    const ids = golden.token_ids.slice(prompt * contextLength, (prompt + 1) * contextLength);
    return ids.slice(0, ids.indexOf(checkpoint.tokenizer.endToken) + 1);
  });
}

async function encoded(checkpoint: Checkpoint, prompts: number[][], length: number) {
  return encodePrompts(prompts, await tokenEmbeddings(checkpoint), length);
}

async function embedPrompts(checkpoint: Checkpoint, prompts: number[][], length: number): Promise<number[]> {
  const { tokens, endOfText } = await encoded(checkpoint, prompts, length);
  const { embedding } = await run(textProgram(checkpoint, { classes: prompts.length, length }), {
    tokens,
    endOfText,
  });
  return embedding;
}

function embedTexts(checkpoint: Checkpoint, golden: Golden, length: number): Promise<number[]> {
  return embedPrompts(checkpoint, promptsOf(checkpoint, golden), length);
}

/** CE(s · f(x) · Tᵀ, labels) for two images and three prompts, with its gradients. */
function crossEntropyProgram(checkpoint: Checkpoint, golden: Golden): Program {
  const g = new GraphBuilder({ name: "cross entropy" });
  const { image, text } = checkpoint.architecture;
  const images = g.input("pixels", [2, 3, image.imageSize.height, image.imageSize.width]);
  const tokens = g.input("tokens", [3, text.contextLength, text.width]);
  const endOfText = g.input("endOfText", [3, text.contextLength, 1]);
  const cosines = g.matmul(
    imageEmbedding(g, checkpoint, images),
    g.transpose(textEmbedding(g, checkpoint, tokens, endOfText)),
  );
  const labels = golden.labels.flatMap((label) => [0, 1, 2].map((index) => (index === label ? 1 : 0)));
  const picked = g.mul(
    g.logSoftmax(g.mul(cosines, checkpoint.logitScale)),
    g.constant(float32([2, 3], labels)),
  );
  const loss = g.div(g.neg(g.reduceSum(picked)), 2);
  const [byPixels, byTokens] = gradients(g, loss, [images, tokens]);
  g.output(loss, "loss");
  g.output(byPixels, "byPixels");
  g.output(byTokens, "byTokens");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

async function run(program: Program, feeds: Record<string, Tensor>): Promise<Record<string, number[]>> {
  const session = await openSession(program, { device: "cpu", threads: 1 });
  try {
    const outputs = await session.run(feeds);
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data }]) => [name, Array.from(data as Float32Array)]),
    );
  } finally {
    await session.close();
  }
}
