import { describe, expect, test } from "@jest/globals";
import { descend, keepInRange, project, stamp } from "../../../src/engine/cbpt/trigger.ts";

const moved = (values: number[], change: (array: Float32Array) => void) => {
  const array = Float32Array.from(values);
  change(array);
  return Array.from(array, (value) => Number(value.toFixed(6)));
};

describe("a trigger", () => {
  test("is brought back to the nearest point of its ball", () => {
    const project2 = (values: number[], norm: "L2" | "LINF") =>
      moved(values, (array) => project(array, { norm, radius: 1 }));
    expect(project2([3, 4], "L2")).toEqual([0.6, 0.8]);
    expect(project2([0.3, 0.4], "L2")).toEqual([0.3, 0.4]);
    expect(project2([3, -0.5], "LINF")).toEqual([1, -0.5]);
  });

  test.each([
    ["RAW", [-0.6, -0.8]],
    ["SIGN", [-0.2, -0.2]],
    // 0.2 of the radius 2, along the gradient of length 5.
    ["NORMALISED", [-0.24, -0.32]],
  ] as const)("takes a %s step against its gradient", (rule, expected) => {
    const step = moved([0, 0], (trigger) =>
      descend(
        trigger,
        new Float32Array(2),
        Float32Array.of(3, 4),
        { rule, size: 0.2, momentum: 0 },
        { norm: "L2", radius: 2 },
      ),
    );
    expect(step).toEqual(expected);
  });

  test("keeps its momentum", () => {
    const velocity = Float32Array.of(1, 0);
    const descent = { rule: "RAW", size: 1, momentum: 0.5 } as const;
    const place = moved([0, 0], (trigger) =>
      descend(trigger, velocity, Float32Array.of(0, 1), descent, { norm: "L2", radius: 9 }),
    );
    expect(Array.from(velocity)).toEqual([0.5, 1]);
    expect(place).toEqual([-0.5, -1]);
  });

  test("stands still without a gradient", () => {
    const descent = { rule: "NORMALISED", size: 1, momentum: 0 } as const;
    const still = moved([0.5, 0], (trigger) =>
      descend(trigger, new Float32Array(2), new Float32Array(2), descent, { norm: "L2", radius: 1 }),
    );
    expect(still).toEqual([0.5, 0]);
  });

  test("leaves the image in [0, 1]", () => {
    const pixels = Float32Array.of(0, 0.5, 1);
    expect(moved([-0.5, 0.2, 0.5], (trigger) => keepInRange(trigger, pixels))).toEqual([0, 0.2, 0]);
    expect(Array.from(stamp(pixels, Float32Array.of(0.25, 0.25, 0.25), 2))).toEqual([0.5, 1, 1]);
  });
});
