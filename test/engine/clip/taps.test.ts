import { expect, test } from "@jest/globals";
import { knownTaps } from "../../../src/engine/clip/resampling/taps.ts";

test("taps of usual sides are kept, those of endless ones are not", () => {
  const usual = knownTaps(500, 224, 0, 224, "bicubic");
  const endless = knownTaps(500_000, 224, 0, 224, "bicubic");
  expect(knownTaps(500_000, 224, 0, 224, "bicubic")).not.toBe(endless);
  expect(knownTaps(500, 224, 0, 224, "bicubic")).toBe(usual);
});

test("taps of fifty sides fit, if they are small, and the oldest of very many go", () => {
  const first = knownTaps(500, 224, 0, 224, "bicubic");
  for (let side = 300; side < 350; side += 1) knownTaps(side, 224, 0, 224, "bicubic");
  expect(knownTaps(500, 224, 0, 224, "bicubic")).toBe(first);
  for (let side = 20_000; side < 20_020; side += 1) knownTaps(side, 224, 0, 224, "bicubic");
  expect(knownTaps(500, 224, 0, 224, "bicubic")).not.toBe(first);
});
