import type { PlanarImage } from "../attacks/attack.ts";
import type { Random } from "../random.ts";
import { blur, clip, within } from "./pixels.ts";

/** An image as another camera, another hand or another channel might have made it; values in [0, 1]. */
type Shift = (image: PlanarImage, random: Random) => PlanarImage;

/** By how much noise deviates, how wide the blur is in pixels, and how much smaller an image was once. */
const NOISE = 0.1;
const BLUR = 1.2;
const SMALLER = 2;

/** Shifts of the domain that a classifier is to withstand: nothing was chosen on them. */
export const SHIFTS = {
  // The hue turned by a random angle, lightness kept
  recoloured: (image, random) => {
    const angle = (1 / 6 + (2 / 3) * random.uniform()) * 2 * Math.PI;
    return turnHue(image, angle);
  },
  // Dark strokes where the lightness changes, on white paper
  sketched: (image) => sketch(image),
  noisy: (image, random) => map(image, (value) => value + NOISE * random.normal()),
  blurred: (image) => blur(image, BLUR),
  // Made smaller, each pixel the mean of a square, and larger again, bilinearly
  downscaled: (image) => enlarge(shrink(image, SMALLER), image),
} as const satisfies Record<string, Shift>;

export type ShiftName = keyof typeof SHIFTS;

const map = ({ width, height, data }: PlanarImage, change: (value: number) => number): PlanarImage => ({
  width,
  height,
  data: data.map((value) => clip(change(value))),
});

/** A turn about the grey axis: c·x + s·(axis × x) + (1 − c)·(mean of x). */
function turnHue({ width, height, data }: PlanarImage, angle: number): PlanarImage {
  const [cosine, sine] = [Math.cos(angle), Math.sin(angle) / Math.sqrt(3)];
  const area = width * height;
  const turned = data.map((value, index) => {
    const [plane, pixel] = [Math.floor(index / area), index % area];
    const next = data[((plane + 1) % 3) * area + pixel];
    const last = data[((plane + 2) % 3) * area + pixel];
    const mean = (value + next + last) / 3;
    return clip(cosine * value + sine * (last - next) + (1 - cosine) * mean);
  });
  return { width, height, data: turned };
}

/** Sobel's gradient of the lightness as ink. */
function sketch({ width, height, data }: PlanarImage): PlanarImage {
  const area = width * height;
  const light = (row: number, column: number): number => {
    const pixel = within(row, height) * width + within(column, width);
    return (data[pixel] + data[area + pixel] + data[2 * area + pixel]) / 3;
  };
  const paper = Float32Array.from({ length: area }, (_, pixel) => {
    const [row, column] = [Math.floor(pixel / width), pixel % width];
    const across = (step: number) => light(row + step, column + 1) - light(row + step, column - 1);
    const down = (step: number) => light(row + 1, column + step) - light(row - 1, column + step);
    const right = across(-1) + 2 * across(0) + across(1);
    const below = down(-1) + 2 * down(0) + down(1);
    return clip(1 - Math.hypot(right, below));
  });
  return { width, height, data: Float32Array.from(data, (_, index) => paper[index % area]) };
}

/** Means over squares of that side. */
function shrink({ width, height, data }: PlanarImage, side: number): PlanarImage {
  const [columns, rows] = [Math.floor(width / side), Math.floor(height / side)];
  const small = new Float32Array(3 * columns * rows);
  for (let index = 0; index < small.length; index++) {
    const [line, column] = [Math.floor(index / columns), index % columns];
    const [plane, row] = [Math.floor(line / rows), line % rows];
    let sum = 0;
    for (let down = 0; down < side; down++)
      for (let right = 0; right < side; right++)
        sum += data[(plane * height + row * side + down) * width + column * side + right];
    small[index] = sum / side ** 2;
  }
  return { width: columns, height: rows, data: small };
}

/** Bilinear, with the middles of pixels as their places. */
function enlarge(small: PlanarImage, { width, height }: { width: number; height: number }): PlanarImage {
  const data = new Float32Array(3 * width * height);
  for (let index = 0; index < data.length; index++) {
    const [line, column] = [Math.floor(index / width), index % width];
    const [plane, row] = [Math.floor(line / height), line % height];
    data[index] = between(
      small,
      plane,
      ((row + 0.5) * small.height) / height - 0.5,
      ((column + 0.5) * small.width) / width - 0.5,
    );
  }
  return { width, height, data };
}

function between({ width, height, data }: PlanarImage, plane: number, row: number, column: number): number {
  const [top, left] = [Math.floor(row), Math.floor(column)];
  const at = (line: number, place: number): number =>
    data[(plane * height + within(line, height)) * width + within(place, width)];
  const [down, right] = [row - top, column - left];
  const upper = at(top, left) * (1 - right) + at(top, left + 1) * right;
  const lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right;
  return upper * (1 - down) + lower * down;
}
