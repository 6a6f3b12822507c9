import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { noise } from "../../parity/generator.ts";
import { distance, distanceToSketch, normOf, projectionsOf, samplesOf } from "../../parity/sketch.ts";

const golden = JSON.parse(readFileSync(join(__dirname, "../fixtures/parity/generator.json"), "utf8"));

const truth = noise("truth", 4000, 1);
const sketch = {
  projections: Float32Array.from(projectionsOf(truth)),
  samples: Float32Array.from(samplesOf(truth)),
};
const against = (values: Float32Array) => distanceToSketch(values, sketch, normOf(truth));

test("sums and samples are Python's", () => {
  const values = noise("sketched", 300, 1);
  expect(projectionsOf(values)[5]).toBeCloseTo(golden.sketch.projections[5], 10);
  expect(Array.from(projectionsOf(values).subarray(0, 8))).toEqual(
    golden.sketch.projections.map((value: number) => expect.closeTo(value, 10)),
  );
  expect(Array.from(samplesOf(values).subarray(0, 8))).toEqual(golden.sketch.samples);
});

describe("the distance to a sketch", () => {
  test("of the same values is nothing", () => {
    expect(against(truth).relative).toBeLessThan(1e-7);
    expect(against(truth).cosineGap).toBeLessThan(1e-12);
  });

  test.each([1e-5, 1e-3, 0.1])("of values that differ everywhere is near the true one: %p", (size) => {
    const error = noise("error", truth.length, size);
    const other = truth.map((value, index) => value + error[index]);
    const { relative, cosineGap } = distance(other, truth);
    expect(against(other).relative / relative).toBeGreaterThan(0.8);
    expect(against(other).relative / relative).toBeLessThan(1.3);
    expect(against(other).cosineGap / cosineGap).toBeGreaterThan(0.6);
  });

  test("of values that differ in one place, which no sample sees, is seen", () => {
    const other = truth.slice();
    const unseen = other.findIndex((value) => !sketch.samples.includes(value));
    other[unseen] += 1;
    const { relative } = distance(other, truth);
    expect(against(other).relative / relative).toBeGreaterThan(0.8);
  });

  test("of values that are not numbers is not a number", () => {
    const other = truth.slice();
    other[17] = Number.NaN;
    expect(against(other).relative <= 1).toBe(false);
  });
});
