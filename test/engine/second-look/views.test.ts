import { describe, expect, test } from "@jest/globals";
import { seenAs, VIEW_NAMES, type ViewName } from "../../../src/engine/second-look/views.ts";
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

/** What each view makes of one light value: contrast is about the middle, and what is twice as bright is white at most. */
const LIGHT: Partial<Record<ViewName, (value: number) => number>> = {
  DENOISED: (value) => 0.5 + 1.25 * (value - 0.5),
  BRIGHTENED: (value) => Math.min(1, 2 * value),
};

test.each(VIEW_NAMES)("%s of one colour is of one colour, up to its edges", (name) => {
  const { [name]: light = (value: number) => value } = LIGHT;
  for (const value of [0.25, 0.75]) {
    const view = seenAs(name, new Float32Array(3 * PLANE).fill(value), SIZE);
    for (const seen of view) expect(seen).toBeCloseTo(light(value), 6);
  }
});

test.each(VIEW_NAMES)("%s of one pixel is that pixel, in its light", (name) => {
  const { [name]: light = (value: number) => value } = LIGHT;
  const seen = seenAs(name, Float32Array.of(0.1, 0.5, 0.9), { height: 1, width: 1 });
  [0.1, 0.5, 0.9].forEach((value, at) => {
    expect(seen[at]).toBeCloseTo(light(value), 6);
  });
});

test.each(VIEW_NAMES)("%s leaves the image that it is given as it is, and keeps to [0, 1]", (name) => {
  const random = seededRandom(5);
  const pixels = Float32Array.from({ length: 3 * PLANE }, () => random());
  const before = pixels.slice();
  const view = seenAs(name, pixels, SIZE);
  expect(pixels).toEqual(before);
  expect(view).toHaveLength(pixels.length);
  expect(view.every((value) => value >= 0 && value <= 1)).toBe(true);
});
