import { describe, expect, test } from "@jest/globals";
import { auroc, thresholdAt } from "../../../src/engine/evaluation/separation.ts";
import { randomStream } from "../../../src/engine/random.ts";

describe("the separation of two kinds of scores", () => {
  test("is the share of pairs in the right order, ties counted half", () => {
    const random = randomStream(1, "scores");
    const positives = Array.from({ length: 60 }, () => random.below(12) + 2);
    const negatives = Array.from({ length: 80 }, () => random.below(12));
    let pairs = 0;
    for (const p of positives) for (const n of negatives) pairs += p > n ? 1 : p === n ? 0.5 : 0;
    const { value, low95, high95 } = auroc(positives, negatives);
    expect(value).toBeCloseTo(pairs / (60 * 80), 12);
    expect(low95).toBeLessThan(value);
    expect(high95).toBeGreaterThan(value);
    expect(() => auroc([], [1])).toThrow(RangeError);
  });

  test("has an interval whose bounds are 1.96 of their own deviations away, also where all pairs are in order", () => {
    const area = (value: number, n: number) => {
      const others = n - 1;
      const spread = 1 + (others * (1 - value)) / (2 - value) + (others * value) / (1 + value);
      return Math.sqrt((value * (1 - value) * spread) / (n * n));
    };
    const all = auroc([2, 3], [0, 1]);
    expect([all.value, all.high95]).toEqual([1, 1]);
    expect((1 - all.low95) / area(all.low95, 2)).toBeCloseTo(1.959964, 5);
    const many = Array.from({ length: 1000 }, (_, index) => index);
    const apart = auroc(
      many.map((score) => score + 1000),
      many,
    );
    expect(apart.low95).toBeGreaterThan(0.995);
    expect(apart.low95).toBeLessThan(1);
    const mixed = auroc(
      many.map((score) => score + 700),
      many,
    );
    for (const bound of [mixed.low95, mixed.high95])
      expect(Math.abs(mixed.value - bound) / area(bound, 1000)).toBeCloseTo(1.959964, 5);
  });

  test("has a threshold that no more than the given share lies above", () => {
    const scores = Array.from({ length: 320 }, (_, index) => index);
    const threshold = thresholdAt(0.01, scores);
    expect(scores.filter((score) => score > threshold)).toHaveLength(3);
    expect(thresholdAt(0, [5, 7, 6])).toBe(7);
  });
});
