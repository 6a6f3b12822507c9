import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { fillSpread, images, noise, spreadOf, uniform } from "../../parity/generator.ts";

/** What parity/generator.py makes: see test/fixtures/parity/make.py. */
const golden = JSON.parse(readFileSync(join(__dirname, "../fixtures/parity/generator.json"), "utf8"));

const digest = (values: Float32Array): string =>
  createHash("sha256")
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest("hex");

test("weights are Python's, to the bit, for every kind of tensor", () => {
  const made = Object.keys(golden.weights).map((name) => {
    const { shape } = golden.weights[name];
    const count = shape.reduce((product: number, extent: number) => product * extent, 1);
    const values = fillSpread(new Float32Array(count), name, spreadOf(name, shape));
    return [name, { shape, digest: digest(values), first: Array.from(values.subarray(0, 3)) }];
  });
  expect(Object.fromEntries(made)).toEqual(golden.weights);
});

test("a part of a tensor is made like the whole", () => {
  const spread = { centre: 1, size: 0.3 };
  const whole = fillSpread(new Float32Array(1000), "weights", spread);
  expect(fillSpread(new Float32Array(100), "weights", spread, 700)).toEqual(whole.slice(700, 800));
});

test("images are Python's, to the bit", () => {
  const made = images(2, 20, 28);
  expect(made.map(digest)).toEqual(golden.images);
  expect(Math.min(...made[0])).toBeGreaterThanOrEqual(0);
  expect(Math.max(...made[0])).toBeLessThan(1);
});

test("numbers are spread evenly, and streams are unrelated", () => {
  const count = 100_000;
  const values = uniform("even", count);
  const counts = new Array(16).fill(0);
  for (const value of values) counts[Math.floor(value * 16)] += 1;
  const expected = count / 16;
  // χ² with 15 degrees of freedom: beyond 37.7 once in a thousand streams.
  const chiSquare = counts.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
  expect(chiSquare).toBeLessThan(37.7);
  const [a, b] = [noise("a", count, 1), noise("b", count, 1)];
  const correlation = (3 * a.reduce((sum, value, index) => sum + value * b[index], 0)) / count;
  const shifted = (3 * a.reduce((sum, value, index) => sum + value * a[(index + 1) % count], 0)) / count;
  expect(Math.abs(correlation)).toBeLessThan(0.013);
  expect(Math.abs(shifted)).toBeLessThan(0.013);
});
