import { describe, expect, test } from "@jest/globals";
import type { GuardedText } from "../../../src/engine/cbpt/guard.ts";
import { float32, type Tensor } from "../../../src/engine/onnx/tensor.ts";
import { answersWithSecondLook, type ScalingEncoder } from "../../../src/engine/second-look/answers.ts";
import { VIEW_NAMES } from "../../../src/engine/second-look/views.ts";

/** Images of 1 × 3 pixels whose "embedding" is their first plane: the trigger is light in the last column. */
const encoded: number[] = [];
const ENCODER: ScalingEncoder = {
  imageSize: { height: 1, width: 3 },
  width: 3,
  batch: 2,
  logitScale: 100,
  session: {
    run: async (feeds): Promise<Record<string, Tensor>> => {
      const { shape, data } = feeds.pixels as Tensor;
      encoded.push(shape[0]);
      const embedding = Float32Array.from({ length: 3 * shape[0] }, (_, at) =>
        Number(data[9 * Math.floor(at / 3) + (at % 3)]),
      );
      return { embedding: float32([shape[0], 3], embedding) };
    },
  },
};

const image = (...first: [number, number, number]): Float32Array =>
  Float32Array.of(...first, ...first, ...first);

/** Class 0 is the attacker's: undefended prompts see it in the last column, purified ones see class 2 there. */
const TEXT: GuardedText = {
  undefended: Float32Array.of(0, 0, 1, 0, 1, 0, 1, 0, 0),
  purified: Float32Array.of(0, 0, 0.1, 0, 1, 0, 1, 0, 0.9),
  recovery: Float32Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0),
};

const CLEAN = image(0, 1, 0);
const TRIGGERED = image(0.2, 0, 1);
const ON_BOTH_SIDES = image(1, 0, 1.2);

test("is what the mirrored image is, where the prompts agree on it; one is encoded once that nothing is wrong with", async () => {
  encoded.length = 0;
  expect(await answersWithSecondLook(ENCODER, [CLEAN, TRIGGERED, CLEAN], TEXT)).toEqual([1, 2, 1]);
  expect(encoded).toEqual([2, 1, 1]);
});

test("is the recovery prompts' where they agree on no view", async () => {
  const stubborn = { ...TEXT, undefended: Float32Array.of(1, 1, 1, 0, 0, 0, 0, 0, 0) };
  encoded.length = 0;
  expect(await answersWithSecondLook(ENCODER, [ON_BOTH_SIDES], stubborn)).toEqual([1]);
  expect(encoded).toEqual(new Array(1 + VIEW_NAMES.length).fill(1));
});

test("is the purified prompts' where there are no recovery prompts, at one look", async () => {
  encoded.length = 0;
  const { recovery: _, ...plain } = TEXT;
  expect(await answersWithSecondLook(ENCODER, [TRIGGERED, CLEAN], plain)).toEqual([2, 1]);
  expect(encoded).toEqual([2]);
});

describe("an image that is given a suspected class", () => {
  const SUSPECTED = Float32Array.of(1, 0, 0);
  /** Both prompts see class 0 in the last column: the trigger that the purified ones have not unlearned. */
  const FOOLED = { undefended: TEXT.undefended, purified: TEXT.undefended, suspected: SUSPECTED };

  test.each([TEXT.recovery, undefined])(
    "is what its views speak for, recovery prompts or none",
    async (recovery) => {
      encoded.length = 0;
      const text = { ...FOOLED, recovery };
      expect(await answersWithSecondLook(ENCODER, [TRIGGERED, CLEAN], text)).toEqual([2, 1]);
      expect(encoded).toEqual([2, 1]);
      expect(await answersWithSecondLook(ENCODER, [TRIGGERED], { ...text, suspected: undefined })).toEqual([
        0,
      ]);
    },
  );

  test("keeps it where the first view shows it too", async () => {
    encoded.length = 0;
    const text = { ...TEXT, suspected: Float32Array.of(0, 1, 0) };
    expect(await answersWithSecondLook(ENCODER, [CLEAN], text)).toEqual([1]);
    expect(encoded).toEqual([1, 1]);
  });
});

test("takes features that are known already for the first look", async () => {
  encoded.length = 0;
  const features = Float32Array.of(0, 1, 0, 0.2, 0, 1);
  expect(await answersWithSecondLook(ENCODER, [CLEAN, TRIGGERED], TEXT, features)).toEqual([1, 2]);
  expect(encoded).toEqual([1]);
});
