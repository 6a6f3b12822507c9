import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { POSITIONS } from "../../../src/engine/cbpt/config.ts";
import {
  type CoopPrompts,
  contextsFor,
  encodeCoop,
  readCoop,
  requireSameNames,
} from "../../../src/engine/cbpt/coop.ts";
import { promptFeatures } from "../../../src/engine/cbpt/prompt-features.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { readFloats, readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { relativeError } from "../clip/fixtures.ts";

const FIXTURES = join(__dirname, "../../fixtures/coop");
const LABELS = ["apple", "banana", "house"];
const PROMPTS = { labels: LABELS, contextTokens: 4, position: "END" } as const;

const open = (program: Program) => openSession(program, { device: "cpu", threads: 1 });

const fixture = (name: string) => readFileSync(join(FIXTURES, name));

let checkpoint: Checkpoint;
let shared: CoopPrompts;
let classWise: CoopPrompts;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../../zoo/models/scenes-badnet"));
  shared = await readCoop(fixture("shared.pth.tar"), "shared");
  classWise = await readCoop(fixture("class-wise.pth.tar"), "class-wise");
});

describe("a checkpoint of CoOp's trainer", () => {
  test("is read with its optimiser and schedulers beside it, in both formats of PyTorch", async () => {
    expect(shared).toMatchObject({ contextTokens: 4, width: 128, classes: undefined, labels: undefined });
    expect(classWise).toMatchObject({ contextTokens: 4, width: 128, classes: 3 });
    const legacy = await readCoop(fixture("class-wise-legacy.pth.tar"), "legacy");
    expect(legacy.contexts).toEqual(classWise.contexts);
    expect(legacy.suffix).toEqual(classWise.suffix);
  });

  test("gives shared contexts to every class", () => {
    const contexts = contextsFor(shared, 3);
    expect(contexts).toHaveLength(3 * 4 * 128);
    expect(contexts.slice(2 * 4 * 128)).toEqual(shared.contexts);
    expect(contextsFor(classWise, 3)).toEqual(classWise.contexts);
    expect(() => contextsFor(classWise, 4)).toThrow("contexts of 3 classes, but 4 labels");
  });

  test("shows by its fixed vectors which names it was trained with", async () => {
    await requireSameNames(checkpoint, classWise, PROMPTS);
    const swapped = { ...PROMPTS, labels: ["apple", "house", "banana"] };
    await expect(requireSameNames(checkpoint, classWise, swapped)).rejects.toMatchObject({
      code: "INVALID_BUNDLE",
      message: expect.stringContaining('another name than "house" for class 1'),
    });
    const fewer = { ...PROMPTS, labels: ["apple", "banana"] };
    await expect(requireSameNames(checkpoint, shared, fewer)).rejects.toThrow("3 classes, but 2 labels");
  });

  test.each(["shared", "class-wise"])("has the text features that PyTorch gives it (%s)", async (name) => {
    const coop = name === "shared" ? shared : classWise;
    const golden = await readSafetensors(join(FIXTURES, "golden.safetensors"));
    for (const position of POSITIONS) {
      const prompts = { ...PROMPTS, position, contexts: contextsFor(coop, LABELS.length) };
      const features = await promptFeatures(open, checkpoint, prompts);
      const expected = await readFloats(golden, `${name}.${position.toLowerCase()}`);
      expect(relativeError(features, expected)).toBeLessThan(1e-5);
    }
  });

  test("without context vectors is told", async () => {
    const model = readFileSync(join(FIXTURES, "../pickle/benign/zip-2.pt"));
    await expect(readCoop(model, "other")).rejects.toMatchObject({ code: "INVALID_BUNDLE" });
    await expect(readCoop(Buffer.from("PK\u0003\u0004"), "cut")).rejects.toMatchObject({
      code: "INVALID_CHECKPOINT",
    });
  });
});

describe("a checkpoint that is written for CoOp", () => {
  const contexts = () =>
    Float32Array.from({ length: 3 * 4 * 128 }, (_, index) => Math.fround(index / 7 - 100));

  test("is the one that PyTorch has read, byte for byte", () => {
    const file = encodeCoop({ ...PROMPTS, position: "FRONT", contexts: contexts() });
    // `check_exported.py` beside it is what PyTorch says of it.
    expect(Buffer.from(file).equals(fixture("exported.pth.tar"))).toBe(true);
  });

  test("is read back, with its labels", async () => {
    const read = await readCoop(encodeCoop({ ...PROMPTS, contexts: contexts() }), "exported");
    expect(read).toEqual({
      contextTokens: 4,
      width: 128,
      classes: 3,
      contexts: contexts(),
      suffix: undefined,
      labels: LABELS,
      position: "END",
    });
  });
});
