import { describe, expect, test } from "@jest/globals";
import { rankOf, suspicionOf, tripwireOf } from "../../../src/engine/cbpt/tripwire.ts";

describe("the suspicion of an image", () => {
  test("is the Kullback-Leibler divergence of the purified from the undefended prediction", () => {
    expect(suspicionOf([0.5, 0.5], [0.25, 0.75])).toBeCloseTo(0.5 * Math.log(2) + 0.5 * Math.log(2 / 3), 12);
    expect(suspicionOf([0.2, 0.8], [0.2, 0.8])).toBe(0);
  });

  test("is large but finite where the tuning took the predicted class away wholly", () => {
    const suspicion = suspicionOf(Float32Array.of(1, 0), Float32Array.of(0, 1));
    expect(suspicion).toBeGreaterThan(80);
    expect(suspicion).toBeLessThan(90);
  });
});

describe("a tripwire", () => {
  const tripwire = tripwireOf(Array.from({ length: 1001 }, (_, index) => index / 1000).reverse());

  test("ranks a suspicion among those of clean images", () => {
    expect(tripwire.quantiles).toHaveLength(101);
    expect(rankOf(tripwire, 0)).toBe(0);
    expect(rankOf(tripwire, 0.5)).toBeCloseTo(0.5, 6);
    expect(rankOf(tripwire, 0.995)).toBeCloseTo(0.995, 6);
    expect(rankOf(tripwire, 2)).toBe(1);
  });

  test("never ranks equal clean images above one another", () => {
    const flat = tripwireOf([0, 0, 0, 1]);
    expect(rankOf(flat, 0)).toBe(0);
    expect(rankOf(flat, 0.5)).toBeGreaterThan(0);
    expect(rankOf(flat, 1)).toBeLessThanOrEqual(1);
    expect(rankOf(tripwireOf([3]), 4)).toBe(1);
  });
});
