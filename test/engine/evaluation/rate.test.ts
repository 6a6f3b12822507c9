import { describe, expect, test } from "@jest/globals";
import { rate } from "../../../src/engine/evaluation/rate.ts";

describe("a rate", () => {
  // The bounds solve (p − k/n)² = z² p(1 − p)/n, here to four digits.
  test.each([
    [0, 1000, 0, 0.0038],
    [1000, 1000, 0.9962, 1],
    [50, 100, 0.4038, 0.5962],
    [1, 10, 0.0179, 0.4042],
    [0, 0, 0, 1],
  ])("of %p in %p lies within its Wilson interval", (k, n, low, high) => {
    const { low95, high95, value } = rate({ k, n });
    expect(low95).toBeCloseTo(low, 4);
    expect(high95).toBeCloseTo(high, 4);
    expect(value).toBe(n === 0 ? 0 : k / n);
  });
});
