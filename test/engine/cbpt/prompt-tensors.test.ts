import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  arraysOf,
  type LearnedTensors,
  readLearned,
  readText,
  requireShape,
  TENSORS,
} from "../../../src/engine/cbpt/prompt-tensors.ts";
import { encodeSafetensors, readSafetensors } from "../../../src/engine/clip/safetensors.ts";

const SHAPE = { classes: 2, contextTokens: 1 };
const PLAIN: LearnedTensors = {
  ...SHAPE,
  contexts: Float32Array.of(1, 2, 3, 4, 5, 6),
  features: Float32Array.of(1, 0, 0, 1),
};
const WHOLE: LearnedTensors = {
  ...PLAIN,
  recovery: {
    contexts: Float32Array.of(6, 5, 4, 3, 2, 1),
    features: Float32Array.of(0, 1, 1, 0),
  },
};

const SUSPECTING: LearnedTensors = { ...WHOLE, suspected: Float32Array.of(0, 1) };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prompt-tensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function written(learned: LearnedTensors) {
  const path = join(folder, "prompts.safetensors");
  await writeFile(path, encodeSafetensors(arraysOf(learned)));
  return readSafetensors(path);
}

describe("learned prompts", () => {
  test.each([PLAIN, WHOLE, SUSPECTING, { ...PLAIN, suspected: Float32Array.of(1, 0) }])(
    "are read from a file as they were written, %#",
    async (learned) => {
      const file = await written(learned);
      expect(await readLearned(file, SHAPE)).toEqual(learned);
      const { recovery, suspected } = await readText(file);
      expect(recovery).toEqual(learned.recovery?.features);
      expect(suspected).toEqual(learned.suspected);
    },
  );

  test("have the shapes that a model and labels need, or are refused", async () => {
    const file = await written(WHOLE);
    requireShape(file, TENSORS.contexts, [2, 1, 3]);
    requireShape(file, TENSORS.recoveryFeatures, [2, 2]);
    expect(() => requireShape(file, TENSORS.features, [2, 3])).toThrow(
      expect.objectContaining({ code: "INCOMPATIBLE_MODEL", message: expect.stringContaining("[2,2]") }),
    );
  });
});
