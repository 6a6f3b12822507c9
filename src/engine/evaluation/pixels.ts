import type { PlanarImage } from "../attacks/attack.ts";

/** Red, green and blue, one plane after the other. */
export const CHANNELS = 3;

/** The nearest that a pixel can be. */
export const clip = (value: number): number => (value < 0 ? 0 : value > 1 ? 1 : value);

/** The nearest place of a side: beyond its ends an image goes on as it is there. */
export const within = (place: number, length: number): number => Math.min(length - 1, Math.max(0, place));

/** A Gaussian of that deviation in pixels, row by row and then column by column; edges repeat. */
export function blur({ width, height, data }: PlanarImage, deviation: number): PlanarImage {
  const reach = Math.ceil(3 * deviation);
  const taps = Float64Array.from({ length: 2 * reach + 1 }, (_, index) =>
    Math.exp(-((index - reach) ** 2) / (2 * deviation ** 2)),
  );
  const [rows, blurred] = [new Float32Array(data.length), new Float32Array(data.length)];
  for (let start = 0; start < data.length; start += width)
    blurLine(data, rows, { start, step: 1, length: width }, taps);
  for (let plane = 0; plane < data.length; plane += width * height)
    for (let column = 0; column < width; column++)
      blurLine(rows, blurred, { start: plane + column, step: width, length: height }, taps);
  return { width, height, data: blurred };
}

/** Where the pixels of a line lie. */
interface Line {
  readonly start: number;
  readonly step: number;
  readonly length: number;
}

function blurLine(from: Float32Array, to: Float32Array, line: Line, taps: Float64Array): void {
  const { start, step, length } = line;
  const reach = (taps.length - 1) / 2;
  const total = taps.reduce((sum, weight) => sum + weight, 0);
  for (let place = 0; place < length; place++) {
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++)
      sum += taps[tap] * from[start + step * within(place + tap - reach, length)];
    to[start + step * place] = clip(sum / total);
  }
}
