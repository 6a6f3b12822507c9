import { describe, expect, test } from "@jest/globals";
import type { PlanarImage } from "../../../src/engine/attacks/attack.ts";
import { augmentCaption } from "../../../src/engine/defences/caption-augmentation.ts";
import { augmentImage, POLICIES } from "../../../src/engine/defences/image-augmentation.ts";
import { OPERATIONS } from "../../../src/engine/defences/image-operations.ts";
import { randomStream } from "../../../src/engine/random.ts";

const SIDE = 5;

/** The same plane in all channels, of values given in 255ths. */
const imageOf = (values: readonly number[], width = SIDE): PlanarImage => ({
  width,
  height: values.length / width,
  data: Float32Array.from([...values, ...values, ...values], (value) => value / 255),
});

/** The first channel in 255ths. */
const bytesOf = ({ data }: PlanarImage): number[] =>
  Array.from(data.subarray(0, data.length / 3), (value) => Math.round(255 * value));

const ramp = imageOf([0, 50, 100, 150, 200]);
const cross = imageOf([
  ...[0, 0, 255, 0, 0],
  ...[0, 0, 0, 0, 0],
  ...[255, 0, 130, 0, 255],
  ...[0, 0, 0, 0, 0],
  ...[0, 0, 255, 0, 0],
]);

describe("an operation", () => {
  test.each([
    ["invert", 1, [255, 205, 155, 105, 55]],
    ["solarise", 0.5, [0, 50, 100, 105, 55]],
    // Steps of 2⁴ levels.
    ["posterise", 1, [0, 48, 96, 144, 192]],
    ["posterise", 0, [0, 50, 100, 150, 200]],
    ["stretch", 1, [0, 64, 128, 191, 255]],
    ["equalise", 1, [0, 64, 128, 191, 255]],
    // Away from the mean, 100, by 1.9.
    ["contrast", 1, [-90, 5, 100, 195, 290]],
    // A row has no inner pixels, and grey no colour.
    ["sharpen", 1, [0, 50, 100, 150, 200]],
    ["saturate", 1, [0, 50, 100, 150, 200]],
  ] as const)("%s at strength %p does what it says", (operation, strength, expected) => {
    const before = ramp.data.slice();
    expect(bytesOf(OPERATIONS[operation](ramp, strength, 1))).toEqual(expected);
    expect(ramp.data).toEqual(before);
  });

  test("that equalises spreads few levels by how many pixels have them", () => {
    const values = [10, 10, 10, 20, 30];
    expect(bytesOf(OPERATIONS.equalise(imageOf(values)))).toEqual([0, 0, 0, 128, 255]);
    expect(bytesOf(OPERATIONS.equalise(imageOf([7, 7, 7, 7, 7])))).toEqual([7, 7, 7, 7, 7]);
  });

  test("that turns moves what is off the middle, and comes back in the other direction", () => {
    const turned = bytesOf(OPERATIONS.rotate(cross, 1, 1));
    expect(turned[12]).toBe(130);
    expect(turned[2]).toBeLessThan(200);
    expect(bytesOf(OPERATIONS.rotate(cross, 0, 1))).toEqual(bytesOf(cross));
    const [left, right] = [-1, 1].map((sign) => bytesOf(OPERATIONS.rotate(cross, 0.5, sign)));
    const mirrored = right.map((_, index) => right[index - (index % SIDE) + (SIDE - 1 - (index % SIDE))]);
    expect(left).toEqual(mirrored);
  });

  test("that shears moves rows in proportion to their distance from the middle", () => {
    const sheared = bytesOf(OPERATIONS.shear(cross, 1, 1));
    expect(sheared.slice(10, 15)).toEqual([255, 0, 130, 0, 255]);
    // The first row by 0.6 pixels.
    expect(sheared.slice(0, 5)).toEqual([0, 0, 102, 153, 0]);
  });

  test("that saturates takes the colour away or makes it stronger", () => {
    const red: PlanarImage = { width: 1, height: 1, data: Float32Array.of(1, 0, 0) };
    const [grey, vivid] = [-1, 1].map((sign) => Array.from(OPERATIONS.saturate(red, 1, sign).data));
    // 0.299 + 0.1 · (1 − 0.299)
    expect(grey[0]).toBeCloseTo(0.3691, 6);
    expect(vivid[1]).toBeCloseTo(0.299 - 1.9 * 0.299, 6);
  });

  test("that sharpens leaves the outermost pixels", () => {
    const sharp = bytesOf(OPERATIONS.sharpen(cross, 1, 1));
    // 130 away from 5 · 130 / 13 = 50.
    expect(sharp[12]).toBe(50 + Math.round(1.9 * 80));
    expect(sharp.slice(0, 5)).toEqual([0, 0, 255, 0, 0]);
  });
});

describe("an augmented image", () => {
  const size = { height: 8, width: 6 };
  const pixels = Uint8Array.from({ length: 3 * 48 }, (_, index) => (37 * index) % 256);

  test("comes from a policy of operations that there are", () => {
    expect(POLICIES).toHaveLength(25);
    for (const { operation, probability, strength } of POLICIES.flat()) {
      expect(Object.keys(OPERATIONS)).toContain(operation);
      expect([probability, strength].every((value) => value >= 0 && value <= 1)).toBe(true);
    }
  });

  test("is the same for the same seed and mostly another than the image", () => {
    const augment = (seed: number) => augmentImage(pixels, size, randomStream(seed));
    const seeds = Array.from({ length: 40 }, (_, seed) => seed);
    expect(seeds.map(augment)).toEqual(seeds.map(augment));
    expect(seeds.filter((seed) => String(augment(seed)) !== String(pixels)).length).toBeGreaterThan(25);
  });
});

describe("an augmented caption", () => {
  const many = (caption: string, rate = 0.1) =>
    Array.from({ length: 200 }, (_, seed) => augmentCaption(caption, rate, randomStream(seed)));

  test("has a synonym in place of a word or beside it, two words swapped or one gone", () => {
    const made = new Set(many("a photo of a cat."));
    for (const one of ["a picture of a cat.", "a of a cat.", "photo a of a cat.", "a photo of image a cat."])
      expect(made).toContain(one);
    for (const caption of made) {
      expect(caption.endsWith(".")).toBe(true);
      const words = caption.slice(0, -1).split(" ").length;
      expect([4, 5, 6]).toContain(words);
    }
  });

  test("changes as many words as the rate says", () => {
    const caption = "this is a very long sentence about the small red boat near a house";
    const words = caption.split(" ");
    const deleted = many(caption, 0.5).map((made) => made.split(" ").length);
    expect(Math.min(...deleted)).toBe(words.length - Math.round(words.length / 2));
  });

  test("stays as it is at rate 0, and where it is one word", () => {
    expect(new Set(many("a photo of a cat.", 0))).toEqual(new Set(["a photo of a cat."]));
    expect(new Set(many("banana!"))).toEqual(new Set(["banana!"]));
  });
});
