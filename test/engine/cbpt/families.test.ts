import { describe, expect, test } from "@jest/globals";
import {
  FAMILIES,
  FAMILY_NAMES,
  type FamilyTrigger,
  stampFamily,
} from "../../../src/engine/cbpt/families/index.ts";
import { randomStream } from "../../../src/engine/random.ts";

const size = { height: 20, width: 24 };
const values = 3 * size.height * size.width;
const random = randomStream(3, "families");
/** Smooth, so that a warp's derivative is not its pixels' noise, and inside [0, 1], so that nothing is clipped. */
const image = Float32Array.from({ length: values }, (_, index) => {
  const [row, column] = [Math.floor(index / size.width) % size.height, index % size.width];
  return 0.5 + 0.2 * Math.sin(0.7 * row + 0.3 * column + Math.floor(index / (size.width * size.height)));
});
const slopes = Float32Array.from({ length: values }, () => random.normal());
const denseSeed = Float32Array.from({ length: values }, () => 0.01 * random.normal());
const seed = { size, dense: denseSeed, radius: 1 };

/** A trigger inside what the family allows; a warp's places lie between pixels, where bilinear values have a slope. */
function someTrigger(name: (typeof FAMILY_NAMES)[number]): FamilyTrigger {
  const family = FAMILIES[name];
  const start = family.start(seed);
  const moves = name === "warp" || name === "jitter";
  const [middle, spread] = moves ? [0.3, 0.03] : [0, 0.02];
  const values = start.values.map((value) => value + middle + spread * random.normal());
  return { ...start, values: family.project(values, seed) };
}

const loss = (trigger: FamilyTrigger): number =>
  FAMILIES[trigger.family]
    .stamp(trigger, image, size)
    .reduce((sum, value, index) => sum + value * slopes[index], 0);

describe.each(FAMILY_NAMES)("triggers of the family %s", (name) => {
  const family = FAMILIES[name];

  test("carry a gradient by the pixels to their values, as differences say", () => {
    const trigger = someTrigger(name);
    const gradient = family.pullBack(trigger, image, slopes, size);
    const direction = Float64Array.from(trigger.values, () => random.normal());
    const length = 1e-3;
    const moved = (sign: number): FamilyTrigger => ({
      ...trigger,
      values: trigger.values.map((value, index) => value + sign * length * direction[index]),
    });
    const expected = (loss(moved(1)) - loss(moved(-1))) / (2 * length);
    const given = gradient.reduce((sum, value, index) => sum + value * direction[index], 0);
    expect(Math.abs(given - expected)).toBeLessThan(0.02 * Math.abs(expected) + 0.02);
  });

  test("leave the image alone and keep within [0, 1]", () => {
    const before = image.slice();
    const stamped = stampFamily(someTrigger(name), image, size, 1.3);
    expect(Buffer.from(image.buffer).equals(Buffer.from(before.buffer))).toBe(true);
    expect(Math.min(...stamped)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...stamped)).toBeLessThanOrEqual(1);
    const untouched = stampFamily(someTrigger(name), image, size, 0);
    expect(Buffer.from(untouched.buffer).equals(Buffer.from(image.buffer))).toBe(true);
  });

  test("are projected once and for all", () => {
    const wild = family.start(seed).values.map((value) => value + 5 * random.normal());
    const once = family.project(wild, seed);
    const twice = family.project(once, seed);
    expect(Math.max(...once.map((value, index) => Math.abs(twice[index] - value)))).toBeLessThan(1e-4);
  });
});

test("a patch lies where a dense trigger has most of its energy", () => {
  const dense = new Float32Array(values);
  for (const row of [15, 16]) for (const column of [4, 5]) dense[row * size.width + column] = 1;
  const { place } = FAMILIES.patch.start({ size, dense, radius: 1 });
  const side = 3;
  expect(place[0]).toBeLessThanOrEqual(15);
  expect(place[0] + side).toBeGreaterThan(16);
  expect(place[1]).toBeLessThanOrEqual(4);
  expect(place[1] + side).toBeGreaterThan(5);
});
