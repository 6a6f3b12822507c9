import type { ImageSize } from "../clip/architecture.ts";
import { CHANNELS, clip } from "../evaluation/pixels.ts";
import { type Complex, complex, transform } from "./fourier.ts";

/** So many times its surroundings' median, a frequency stands out. */
const PEAK = 4;
/** How many frequencies further its surroundings reach, along both axes. */
const REACH = 2;
/** Cycles per image below which a frequency is part of what it shows. */
const SLOWEST = 2;

/**
 * An image [3, H, W] without the frequencies that stand out of its spectrum: each is brought down to the median of those
 * around it. What repeats itself over a whole image (a wave, stripes, a grid) has nearly all of its light in a few
 * frequencies; what is seen once is spread over many. An image without such a pattern changes hardly.
 */
export function filtered(pixels: Float32Array, size: ImageSize): Float32Array {
  const { height, width } = size;
  const plane = height * width;
  // Two real planes are one complex one: what treats a frequency and its mirror image alike keeps them apart.
  const [first, second] = [complex(plane), complex(plane)];
  for (const [channel, part] of partsOf(first, second).entries())
    part.set(pixels.subarray(channel * plane, (channel + 1) * plane));
  const spectra = [first, second].map((pair) => transform(pair, height, width, 1));
  const gains = gainsOf(magnitudesOf(spectra, size), size);
  for (const { real, imaginary } of spectra)
    for (const part of [real, imaginary]) for (let at = 0; at < plane; at++) part[at] *= gains[at];
  const [one, other] = spectra.map((spectrum) => transform(spectrum, height, width, -1));
  const view = new Float32Array(CHANNELS * plane);
  for (const [channel, part] of partsOf(one, other).entries()) view.set(part.map(clip), channel * plane);
  return view;
}

/** Where the channels lie. */
const partsOf = (first: Complex, second: Complex): Float64Array[] => [
  first.real,
  first.imaginary,
  second.real,
];

/** What each frequency is multiplied by. */
function gainsOf(magnitudes: Float64Array, size: ImageSize): Float64Array {
  const { height, width } = size;
  const around = new Float64Array((2 * REACH + 1) ** 2 - 1);
  const gains = new Float64Array(magnitudes.length).fill(1);
  for (let row = 0; row <= height / 2; row++)
    for (let column = 0; column < width; column++) {
      if (Math.hypot(row, cycles(column, width)) < SLOWEST) continue;
      const at = row * width + column;
      gather(magnitudes, row, column, size, around);
      // To count is faster than to sort, and nearly all frequencies are no peaks.
      const low = magnitudes[at] / PEAK;
      let lower = 0;
      for (const magnitude of around) if (magnitude < low) lower++;
      if (lower <= around.length / 2) continue;
      // A frequency and its mirror image are one wave.
      gains[at] = around.sort()[around.length / 2] / magnitudes[at];
      gains[mirrorOf(row, column, size)] = gains[at];
    }
  return gains;
}

/** How strong each frequency is, over all channels. */
function magnitudesOf(pairs: readonly Complex[], { height, width }: ImageSize): Float64Array {
  const magnitudes = new Float64Array(height * width);
  for (let row = 0, at = 0; row < height; row++)
    for (let column = 0; column < width; column++, at++) {
      const mirrored = mirrorOf(row, column, { height, width });
      let power = 0;
      for (const { real, imaginary } of pairs)
        power += real[at] ** 2 + imaginary[at] ** 2 + real[mirrored] ** 2 + imaginary[mirrored] ** 2;
      magnitudes[at] = Math.sqrt(power / 2);
    }
  return magnitudes;
}

/** Collects what surrounds a frequency, itself left out; the spectrum goes round. */
function gather(
  magnitudes: Float64Array,
  row: number,
  column: number,
  { height, width }: ImageSize,
  around: Float64Array,
): void {
  let count = 0;
  for (let down = -REACH; down <= REACH; down++) {
    const line = wrapped(row + down, height) * width;
    for (let right = -REACH; right <= REACH; right++)
      if (down !== 0 || right !== 0) around[count++] = magnitudes[line + wrapped(column + right, width)];
  }
}

/** Of a place up to `REACH` beyond a side, where it is when the side goes round. */
const wrapped = (index: number, length: number): number =>
  index >= 0 && index < length ? index : (index + REACH * length) % length;

const mirrorOf = (row: number, column: number, { height, width }: ImageSize): number =>
  (row === 0 ? 0 : height - row) * width + (column === 0 ? 0 : width - column);

/** The cycles per image that an index of a spectrum stands for. */
const cycles = (index: number, length: number): number => Math.min(index, length - index);
