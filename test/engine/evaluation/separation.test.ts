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
    expect(auroc([2, 3], [0, 1])).toEqual({ value: 1, low95: 1, high95: 1 });
    expect(() => auroc([], [1])).toThrow(RangeError);
  });

  test("has a threshold that no more than the given share lies above", () => {
    const scores = Array.from({ length: 320 }, (_, index) => index);
    const threshold = thresholdAt(0.01, scores);
    expect(scores.filter((score) => score > threshold)).toHaveLength(3);
    expect(thresholdAt(0, [5, 7, 6])).toBe(7);
  });
});
