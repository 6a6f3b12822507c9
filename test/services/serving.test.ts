import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import type { Program } from "../../src/engine/runtime/program.ts";
import type { Session } from "../../src/engine/runtime/session.ts";
import { digestOf } from "../../src/services/canonical.ts";
import type { ModelRecord } from "../../src/services/registry.ts";
import { type ServedModel, Serving } from "../../src/services/serving.ts";

const FOLDER = join(__dirname, "../fixtures/clip/vit");

let serving: Serving;
let model: ServedModel;
/** The texts that were tokenized. */
let texts: string[];

beforeEach(async () => {
  serving = new Serving({
    device: "cpu",
    threads: 1,
    images: { maxBytes: 1e6, maxPixels: 1e6, minSide: 1 },
    capacity: 8,
    onBatch: () => {},
    depot: { folder: async () => FOLDER },
  });
  const checkpoint = await openCheckpoint(FOLDER);
  model = await serving.model({
    name: "vit",
    folder: FOLDER,
    weights: `sha256:${await checkpoint.weightsDigest()}`,
    preprocessing: digestOf(checkpoint.preprocessing),
  } as ModelRecord);
  texts = [];
  const { tokenizer } = model.checkpoint;
  const encode = tokenizer.encode;
  jest.spyOn(tokenizer, "encode").mockImplementation((text) => {
    texts.push(text);
    return encode(text);
  });
});
afterEach(() => serving.close());

describe("text matrices", () => {
  test("of different labels are made one after the other", async () => {
    const towers = model as unknown as { open: (program: Program) => Promise<Session> };
    const { open } = towers;
    const openAtOnce: number[] = [];
    let count = 0;
    towers.open = async (program) => {
      openAtOnce.push(++count);
      const session = await open(program);
      const close = async () => {
        await session.close();
        count--;
      };
      return { ...session, run: session.run.bind(session), close };
    };
    await Promise.all(["cat", "dog", "boat"].map((label) => model.matrix([label], ["a {}"])));
    expect(openAtOnce).toEqual([1, 1, 1]);
  });

  test("of the same labels are made once", async () => {
    const [first, second] = await Promise.all([1, 2].map(() => model.matrix(["cat"], ["a {}", "one {}"])));
    expect(second).toBe(first);
    expect(await model.matrix(["cat"], ["a {}", "one {}"])).toBe(first);
    expect(texts).toHaveLength(2);
    // The same texts, otherwise divided into labels and templates.
    expect(await model.matrix(["cat", "a {}"], ["one {}"])).not.toBe(first);
  });

  test("that nobody waits for any more are not made, and whoever asks later has them", async () => {
    const abort = new AbortController();
    const before = model.matrix(["cat"], ["a {}"]);
    const abandoned = model.matrix(["dog"], ["a {}"], abort.signal);
    abort.abort(new Error("gone"));
    await expect(abandoned).rejects.toThrow("gone");
    await before;
    await model.matrix(["boat"], ["a {}"]);
    expect(texts).toEqual(["a cat", "a boat"]);
    expect(await model.matrix(["dog"], ["a {}"])).toHaveLength(model.checkpoint.architecture.embeddingWidth);
  });

  test("that could not be made are tried again", async () => {
    const broken = jest.spyOn(model.checkpoint.tokenizer, "encode").mockImplementationOnce(() => {
      throw new Error("broken");
    });
    await expect(model.matrix(["cat"], ["a {}"])).rejects.toThrow("broken");
    expect(await model.matrix(["cat"], ["a {}"])).toBeInstanceOf(Float32Array);
    expect(broken).toHaveBeenCalledTimes(2);
  });
});
