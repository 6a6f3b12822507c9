import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import {
  DEFAULT_TEMPLATES,
  embedPrompts,
  fillTemplate,
  margin,
  score,
  softmax,
  topK,
  zeroShotMatrix,
} from "../../../src/engine/clip/zero-shot.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { FIXTURES, relativeError } from "./fixtures.ts";

const open = (program: Program) => openSession(program, { device: "cpu", threads: 1 });

describe("the classifier of the original prompts", () => {
  test("is the normalised mean of the templates' embeddings", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "vit"));
    const labels = ["cat", "red dog"];
    const templates = ["a photo of a {}.", "the {}"];
    const matrix = await zeroShotMatrix(open, checkpoint, labels, templates);
    const [first, second] = await Promise.all(
      templates.map((template) => zeroShotMatrix(open, checkpoint, labels, [template])),
    );
    const mean = first.map((value, index) => value + second[index]);
    const width = checkpoint.architecture.embeddingWidth;
    const normalised = mean.map((value, index) => value / rowNorm(mean, width, Math.floor(index / width)));
    expect(matrix).toHaveLength(2 * width);
    expect(relativeError(matrix, normalised)).toBeLessThan(1e-6);
  });

  test("does not depend on how many labels there are", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "vit"));
    const labels = Array.from({ length: 90 }, (_, index) => ["cat", "dog", "car"][index % 3]);
    const matrix = await zeroShotMatrix(open, checkpoint, labels, ["a {}."]);
    const three = await zeroShotMatrix(open, checkpoint, labels.slice(0, 3), ["a {}."]);
    const last = matrix.slice(87 * checkpoint.architecture.embeddingWidth);
    expect(relativeError(last, three)).toBeLessThan(1e-6);
  });

  test("lets others have their turn while many prompts are tokenized, and can be given up", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "vit"));
    const labels = Array.from({ length: 1000 }, () => "cat");
    const abort = new AbortController();
    let encoded = 0;
    const encode = (text: string) => {
      encoded++;
      return checkpoint.tokenizer.encode(text);
    };
    const counted = { ...checkpoint, tokenizer: { ...checkpoint.tokenizer, encode } };
    const made = zeroShotMatrix(open, counted, labels, ["a {}."], abort.signal);
    setImmediate(() => abort.abort(new Error("gone")));
    await expect(made).rejects.toThrow("gone");
    expect(encoded).toBeLessThan(300);
  });

  test("stands in no stack, however many prompts there are", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "vit"));
    const { startToken, endToken } = checkpoint.tokenizer;
    const prompts = Array.from({ length: 200_000 }, () => [startToken, endToken]);
    const closed = async () => {
      throw new Error("opened");
    };
    await expect(embedPrompts(closed, checkpoint, prompts)).rejects.toThrow("opened");
  });

  test("needs a label", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "vit"));
    await expect(zeroShotMatrix(open, checkpoint, [])).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  });
});

describe("templates", () => {
  test("the usual ones are valid", () => {
    expect(DEFAULT_TEMPLATES.map((template) => fillTemplate(template, "dog"))).toContain("a photo of a dog.");
  });

  test("a label is put in as it is", () => {
    expect(fillTemplate("a {}.", "$& {}")).toBe("a $& {}.");
  });

  test.each(["a photo.", "{} and {}", ""])("%j is refused", (template) => {
    expect(() => fillTemplate(template, "dog")).toThrow(
      expect.objectContaining({ code: "VALIDATION_FAILED" }),
    );
  });
});

describe("scores", () => {
  test("are scaled cosines and their softmax", () => {
    const { logits, probabilities } = score(Float32Array.of(0.6, 0.8), Float32Array.of(1, 0, 0, 1), 10);
    expect(Array.from(logits)).toEqual([6, 8].map((value) => expect.closeTo(value, 5)));
    expect(probabilities[1]).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
  });

  test("stay finite for any logits", () => {
    expect(Array.from(softmax(Float32Array.of(1e30, 0, -1e30)))).toEqual([1, 0, 0]);
    expect(Array.from(softmax(Float32Array.of(-1e30)))).toEqual([1]);
  });

  test("are ranked, equal ones in their order", () => {
    const probabilities = Float32Array.of(0.25, 0.5, 0.25);
    expect(topK(probabilities, 2).map(({ index }) => index)).toEqual([1, 0]);
    expect(topK(probabilities, 9)).toHaveLength(3);
    expect(topK(probabilities, 0)).toEqual([]);
    expect(margin(probabilities)).toBe(0.25);
    expect(margin(Float32Array.of(1))).toBe(1);
  });
});

function rowNorm(matrix: Float32Array, width: number, row: number): number {
  return Math.hypot(...matrix.slice(row * width, (row + 1) * width));
}
