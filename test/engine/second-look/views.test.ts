import { describe, expect, test } from "@jest/globals";
import { seenAs, settles, VIEW_NAMES, type ViewName } from "../../../src/engine/second-look/views.ts";
import { seededRandom } from "../../../zoo/scenes/random.ts";

const SIZE = { height: 9, width: 13 };
const PLANE = SIZE.height * SIZE.width;

/** Three planes, dark but for one pixel in each. */
function dot(row: number, column: number): Float32Array {
  const pixels = new Float32Array(3 * PLANE);
  for (let plane = 0; plane < 3; plane++) pixels[plane * PLANE + row * SIZE.width + column] = 1;
  return pixels;
}

/** Where most of the light is in a plane: its centre of mass. */
function placeOf(pixels: Float32Array, plane = 0): { row: number; column: number } {
  let [sum, row, column] = [0, 0, 0];
  for (let at = 0; at < PLANE; at++) {
    const value = pixels[plane * PLANE + at];
    sum += value;
    row += value * Math.floor(at / SIZE.width);
    column += value * (at % SIZE.width);
  }
  return { row: row / sum, column: column / sum };
}

test("mirrored, left is right, exactly", () => {
  const random = seededRandom(4);
  const pixels = Float32Array.from({ length: 3 * PLANE }, () => random());
  const mirrored = seenAs("MIRRORED", pixels, SIZE);
  for (let at = 0; at < pixels.length; at++) {
    const column = at % SIZE.width;
    expect(mirrored[at]).toBe(pixels[at - column + SIZE.width - 1 - column]);
  }
  expect(seenAs("MIRRORED", mirrored, SIZE)).toEqual(pixels);
});

describe("turned, what is to the right of the centre goes", () => {
  const turned: [ViewName, "up" | "down"][] = [
    ["TURNED_LEFT", "up"],
    ["TURNED_RIGHT", "down"],
  ];

  test.each(turned)("%s: %s", (name, direction) => {
    const view = seenAs(name, dot(4, 10), SIZE);
    for (const plane of [0, 1, 2]) {
      const { row, column } = placeOf(view, plane);
      // Four pixels from the centre, by 15 degrees.
      expect(row - 4).toBeCloseTo((direction === "up" ? -1 : 1) * 4 * Math.sin(Math.PI / 12), 0);
      expect(column - 6).toBeCloseTo(4 * Math.cos(Math.PI / 12), 0);
    }
  });
});

test("a turned view does not settle for the class that is suspected, a mirrored one does", () => {
  expect(VIEW_NAMES.map((name) => settles(name, 3, 3))).toEqual([true, false, false]);
  expect(VIEW_NAMES.map((name) => settles(name, 3, 4))).toEqual([true, true, true]);
});

test.each(VIEW_NAMES)("%s of one colour is of one colour, up to its edges", (name) => {
  const view = seenAs(name, new Float32Array(3 * PLANE).fill(0.25), SIZE);
  for (const value of view) expect(value).toBeCloseTo(0.25, 6);
});

test.each(VIEW_NAMES)("%s of one pixel is that pixel", (name) => {
  expect([...seenAs(name, Float32Array.of(0.1, 0.5, 0.9), { height: 1, width: 1 })]).toEqual([
    ...Float32Array.of(0.1, 0.5, 0.9),
  ]);
});
