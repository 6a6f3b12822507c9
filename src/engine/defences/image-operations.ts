import type { PlanarImage } from "../attacks/attack.ts";
import { warp } from "../attacks/wanet.ts";

/**
 * Changes an image in [0, 1] by a strength from 0 to 1. `sign` is 1 or −1 and says in which direction, for operations
 * that have one. Values may leave [0, 1]; whoever uses the result clips them.
 */
export type Operation = (image: PlanarImage, strength: number, sign: number) => PlanarImage;

const LARGEST_SHEAR = 0.3;
const LARGEST_TURN = Math.PI / 6;
const LARGEST_BLEND = 0.9;

/** The operations of AutoAugment's policies (Cubuk et al. 2019, arXiv:1805.09501, table 6), with its ranges. */
export const OPERATIONS = {
  /** Moves each row sideways in proportion to its distance from the middle. */
  shear: (image, strength, sign) => displace(image, (_, y) => [sign * strength * LARGEST_SHEAR * y, 0]),

  /** Turns the image around its middle, by at most 30 degrees. */
  rotate: (image, strength, sign) => {
    const angle = sign * strength * LARGEST_TURN;
    const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
    return displace(image, (x, y) => [cosine * x - sine * y - x, sine * x + cosine * y - y]);
  },

  /** Keeps the 8 to 4 highest bits of each value. */
  posterise: (image, strength) => {
    const step = 2 ** Math.round(4 * strength);
    return mapValues(image, (value) => (Math.floor((value * 255) / step) * step) / 255);
  },

  /** Inverts what is brighter than a threshold, which falls as the strength rises. */
  solarise: (image, strength) => mapValues(image, (value) => (value >= 1 - strength ? 1 - value : value)),

  invert: (image) => mapValues(image, (value) => 1 - value),

  /** Stretches each channel from 0 to 1 ("AutoContrast"). */
  stretch: (image) =>
    eachChannel(image, (values) => {
      const [low, high] = [
        values.reduce((a, b) => Math.min(a, b), 1),
        values.reduce((a, b) => Math.max(a, b), 0),
      ];
      return high > low ? values.map((value) => (value - low) / (high - low)) : values;
    }),

  /** Gives each channel a flat histogram: a value becomes the share of pixels below it or equal to it. */
  equalise: (image) => eachChannel(image, flattened),

  /** Toward or away from grey ("Color"). */
  saturate: (image, strength, sign) => {
    const grey = luminance(image);
    return away(image, (index) => grey[index % grey.length], strength, sign);
  },

  /** Toward or away from the mean luminance. */
  contrast: (image, strength, sign) => {
    const grey = luminance(image);
    const mean = grey.reduce((sum, value) => sum + value, 0) / grey.length;
    return away(image, () => mean, strength, sign);
  },

  /** Toward or away from a blurred copy. */
  sharpen: (image, strength, sign) => {
    const blurred = smooth(image);
    return away(image, (index) => blurred[index], strength, sign);
  },
} as const satisfies Record<string, Operation>;

export type OperationName = keyof typeof OPERATIONS;

const mapValues = ({ width, height, data }: PlanarImage, change: (value: number) => number): PlanarImage => ({
  width,
  height,
  data: data.map(change),
});

function eachChannel(image: PlanarImage, change: (values: Float32Array) => Float32Array): PlanarImage {
  const { width, height } = image;
  const data = new Float32Array(image.data.length);
  for (let start = 0; start < data.length; start += width * height)
    data.set(change(image.data.subarray(start, start + width * height)), start);
  return { width, height, data };
}

/** other + (1 ± 0.9 · strength) · (value − other): away from `other`, or toward it. */
function away(
  image: PlanarImage,
  other: (index: number) => number,
  strength: number,
  sign: number,
): PlanarImage {
  const factor = 1 + sign * LARGEST_BLEND * strength;
  const { width, height, data } = image;
  return {
    width,
    height,
    data: data.map((value, index) => other(index) + factor * (value - other(index))),
  };
}

/** Every pixel takes the value at its displaced place; displacements are in pixels, places count from the middle. */
function displace(
  image: PlanarImage,
  displacement: (x: number, y: number) => readonly [right: number, down: number],
): PlanarImage {
  const { width, height } = image;
  const [right, down] = [new Float64Array(width * height), new Float64Array(width * height)];
  for (let index = 0; index < right.length; index++) {
    const [x, y] = [(index % width) - (width - 1) / 2, Math.floor(index / width) - (height - 1) / 2];
    [right[index], down[index]] = displacement(x, y);
  }
  return warp(image, { right, down });
}

/** Brightness as the eye weighs it (ITU-R 601), [H · W]. */
function luminance({ width, height, data }: PlanarImage): Float32Array {
  const size = width * height;
  return Float32Array.from(
    { length: size },
    (_, index) => 0.299 * data[index] + 0.587 * data[size + index] + 0.114 * data[2 * size + index],
  );
}

function flattened(values: Float32Array): Float32Array {
  const level = (value: number) => Math.round(Math.min(1, Math.max(0, value)) * 255);
  const counts = new Float64Array(256);
  for (const value of values) counts[level(value)]++;
  const lowest = counts.find((count) => count > 0)!;
  if (lowest === values.length) return values;
  let sum = 0;
  const shares = counts.map((count) => {
    sum += count;
    return (sum - lowest) / (values.length - lowest);
  });
  return values.map((value) => shares[level(value)]);
}

/** The mean of each pixel, five times, and its eight neighbours; the outermost pixels stay as they are. */
function smooth({ width, height, data }: PlanarImage): Float32Array {
  const result = data.slice();
  const plane = width * height;
  for (let index = 0; index < data.length; index++) {
    const [row, column] = [Math.floor((index % plane) / width), index % width];
    if (row === 0 || column === 0 || row === height - 1 || column === width - 1) continue;
    let sum = 4 * data[index];
    for (const line of [-width, 0, width]) for (const place of [-1, 0, 1]) sum += data[index + line + place];
    result[index] = sum / 13;
  }
  return result;
}
