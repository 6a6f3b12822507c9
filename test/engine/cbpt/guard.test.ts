import { describe, expect, test } from "@jest/globals";
import {
  answeringText,
  type GuardedText,
  guardedPredictions,
  guardedScores,
  undefendedText,
} from "../../../src/engine/cbpt/guard.ts";
import { score } from "../../../src/engine/clip/zero-shot.ts";

const SCALE = 10;

/** Three classes along the axes: class 0 is the attacker's, to which the undefended prompts give the second axis too. */
const PURIFIED = Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
const UNDEFENDED = Float32Array.of(0.6, 0.8, 0, 0, 0.6, 0.8, 0, 0, 1);
/** The second axis is class 2 for the recovery prompts. */
const RECOVERY = Float32Array.of(1, 0, 0, 0, 0, 1, 0, 1, 0);

const [CLEAN, TRIGGERED] = [Float32Array.of(1, 0, 0), Float32Array.of(0, 1, 0)];

const text = (threshold: number): GuardedText => ({
  undefended: UNDEFENDED,
  purified: PURIFIED,
  recovery: { features: RECOVERY, threshold },
});

describe("an embedding", () => {
  const divergence = (feature: Float32Array) => {
    const [p, q] = [UNDEFENDED, PURIFIED].map((one) => score(feature, one, SCALE).probabilities);
    return [...p].reduce((sum, value, index) => sum + value * Math.log(value / q[index]), 0);
  };

  test("is as suspicious as the undefended prediction is far from the purified one", () => {
    for (const feature of [CLEAN, TRIGGERED])
      expect(guardedScores(feature, text(1), SCALE).suspicion).toBeCloseTo(divergence(feature), 4);
    expect(divergence(TRIGGERED)).toBeGreaterThan(1);
    expect(divergence(CLEAN)).toBeLessThan(1);
  });

  test("is answered by the recovery prompts above their threshold, and by the purified ones up to it", () => {
    const suspicion = guardedScores(TRIGGERED, text(1), SCALE).suspicion;
    const above = guardedScores(TRIGGERED, text(0.99 * suspicion), SCALE);
    expect(above).toMatchObject({ recovered: true, scores: score(TRIGGERED, RECOVERY, SCALE) });
    const below = guardedScores(TRIGGERED, text(suspicion), SCALE);
    expect(below).toMatchObject({ recovered: false, scores: score(TRIGGERED, PURIFIED, SCALE) });
    expect(above.undefended).toEqual(score(TRIGGERED, UNDEFENDED, SCALE));
  });

  test("is answered by the purified prompts where there are no others", () => {
    const { recovery: _, ...plain } = text(0);
    expect(guardedScores(TRIGGERED, plain, SCALE)).toMatchObject({ recovered: false });
    expect(answeringText(TRIGGERED, plain, SCALE)).toBe(PURIFIED);
    expect(undefendedText(UNDEFENDED)).toEqual({ undefended: UNDEFENDED, purified: UNDEFENDED });
  });
});

test("predictions are the nearest classes of the prompts that answer each row", () => {
  const rows = Float32Array.of(...CLEAN, ...TRIGGERED, 0, 0, 1);
  const by = (one: GuardedText) => guardedPredictions(rows, one, { width: 3, scale: SCALE });
  expect(by(text(1))).toEqual([0, 2, 2]);
  expect(by(text(1000))).toEqual([0, 1, 2]);
});
