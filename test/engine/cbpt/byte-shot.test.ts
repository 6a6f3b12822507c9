import { expect, test } from "@jest/globals";
import { shotOf } from "../../../src/engine/cbpt/byte-shot.ts";

test("pixels of 8 bits come back as they were, each time anew", () => {
  const pixels = Float32Array.from({ length: 256 }, (_, value) => value / 255);
  const shot = shotOf(pixels, 3);
  expect(shot.label).toBe(3);
  expect(shot.pixels).toEqual(pixels);
  shot.pixels.fill(0);
  expect(shot.pixels).toEqual(pixels);
  expect(shot.pixels).not.toBe(pixels);
});

test("other pixels are kept as they are", () => {
  const pixels = Float32Array.of(0, 0.5, 1);
  expect(shotOf(pixels, 0).pixels).toBe(pixels);
});
