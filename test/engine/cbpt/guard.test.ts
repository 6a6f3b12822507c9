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
/** The second axis is class 2 for the recovery prompts, and the first is class 1. */
const RECOVERY = Float32Array.of(0, 0, 1, 1, 0, 0, 0, 1, 0);

const [CLEAN, TRIGGERED] = [Float32Array.of(1, 0, 0), Float32Array.of(0, 1, 0)];

const TEXT: GuardedText = { undefended: UNDEFENDED, purified: PURIFIED, recovery: RECOVERY };

describe("an embedding", () => {
  test("that purified and undefended prompts disagree on is answered by the recovery prompts", () => {
    expect(guardedScores(TRIGGERED, TEXT, SCALE)).toEqual({
      recovered: true,
      doubted: true,
      scores: score(TRIGGERED, RECOVERY, SCALE),
      undefended: score(TRIGGERED, UNDEFENDED, SCALE),
      purified: score(TRIGGERED, PURIFIED, SCALE),
    });
    expect(answeringText(TRIGGERED, TEXT)).toBe(RECOVERY);
  });

  test("that they agree on is answered by the purified ones", () => {
    const { recovered, doubted, scores } = guardedScores(CLEAN, TEXT, SCALE);
    expect({ recovered, doubted, scores }).toEqual({
      recovered: false,
      doubted: false,
      scores: score(CLEAN, PURIFIED, SCALE),
    });
    expect(answeringText(CLEAN, TEXT)).toBe(PURIFIED);
  });

  test("is answered by the purified prompts where there are no others", () => {
    const { recovery: _, ...plain } = TEXT;
    expect(guardedScores(TRIGGERED, plain, SCALE)).toMatchObject({ recovered: false, doubted: false });
    expect(answeringText(TRIGGERED, plain)).toBe(PURIFIED);
    expect(undefendedText(UNDEFENDED)).toEqual({ undefended: UNDEFENDED, purified: UNDEFENDED });
  });
});

test("an image that is given a suspected class is doubted, whether or not there are recovery prompts", () => {
  const suspected = Float32Array.of(1, 0, 0);
  for (const recovery of [RECOVERY, undefined]) {
    const text = { ...TEXT, recovery, suspected };
    expect(guardedScores(CLEAN, text, SCALE)).toMatchObject({ recovered: false, doubted: true });
    expect(guardedScores(Float32Array.of(0, 0, 1), text, SCALE)).toMatchObject({ doubted: false });
  }
});

test("predictions are the nearest classes of the prompts that answer each row", () => {
  const rows = Float32Array.of(...CLEAN, ...TRIGGERED, 0, 0, 1);
  expect(guardedPredictions(rows, TEXT, 3)).toEqual([0, 2, 2]);
  expect(guardedPredictions(rows, { ...TEXT, recovery: undefined }, 3)).toEqual([0, 1, 2]);
});
