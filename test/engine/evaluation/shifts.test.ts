import { describe, expect, test } from "@jest/globals";
import { SHIFTS, type ShiftName } from "../../../src/engine/evaluation/shifts.ts";
import { randomStream } from "../../../src/engine/random.ts";

const SIDE = 8;
const AREA = SIDE * SIDE;

const image = (value: (plane: number, row: number, column: number) => number) => ({
  width: SIDE,
  height: SIDE,
  data: Float32Array.from({ length: 3 * AREA }, (_, index) =>
    value(Math.floor(index / AREA), Math.floor((index % AREA) / SIDE), index % SIDE),
  ),
});

const shift = (name: ShiftName, given: ReturnType<typeof image>) =>
  SHIFTS[name](given, randomStream(1, "shift", name));

const noise = randomStream(3, "image");
const busy = image(() => noise.uniform());

describe("shifts of the domain", () => {
  test.each(Object.keys(SHIFTS) as ShiftName[])("%s changes an image and stays in [0, 1]", (name) => {
    const before = busy.data.slice();
    const { data } = shift(name, busy);
    expect(busy.data).toEqual(before);
    expect(data).not.toEqual(before);
    expect(data.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(shift(name, busy).data).toEqual(data);
  });

  test("recoloured leaves greys and the mean of the channels", () => {
    const grey = image((_plane, row) => row / SIDE);
    shift("recoloured", grey).data.forEach((value, index) => {
      expect(value).toBeCloseTo(grey.data[index], 6);
    });
    const mild = image((plane, row, column) => 0.5 + 0.1 * Math.sin(plane + row + column));
    const { data } = shift("recoloured", mild);
    const mean = (values: Float32Array, pixel: number) =>
      (values[pixel] + values[AREA + pixel] + values[2 * AREA + pixel]) / 3;
    for (let pixel = 0; pixel < AREA; pixel++)
      expect(mean(data, pixel)).toBeCloseTo(mean(mild.data, pixel), 6);
  });

  test("sketched draws edges on white paper", () => {
    const { data } = shift(
      "sketched",
      image((_plane, _row, column) => (column < 4 ? 0 : 1)),
    );
    const row = Array.from(data.subarray(0, SIDE));
    expect(row).toEqual([1, 1, 1, 0, 0, 1, 1, 1]);
  });

  test("blurred and downscaled keep even areas and spread a point", () => {
    const even = image(() => 0.25);
    const point = image((_plane, row, column) => (row === 4 && column === 4 ? 1 : 0));
    for (const name of ["blurred", "downscaled"] as const) {
      shift(name, even).data.forEach((value) => void expect(value).toBeCloseTo(0.25, 6));
      const { data } = shift(name, point);
      expect(Math.max(...data)).toBeLessThan(0.5);
      const sum = data.subarray(0, AREA).reduce((a, b) => a + b, 0);
      expect(sum).toBeCloseTo(1, 1);
    }
  });
});
