import type { PlanarImage } from "../attacks/attack.ts";

/** The nearest that a pixel can be. */
export const clip = (value: number): number => (value < 0 ? 0 : value > 1 ? 1 : value);

/** The nearest place of a side: beyond its ends an image goes on as it is there. */
export const within = (place: number, length: number): number => Math.min(length - 1, Math.max(0, place));

/** A Gaussian of that deviation in pixels, row by row and then column by column; edges repeat. */
export function blur(image: PlanarImage, deviation: number): PlanarImage {
  const reach = Math.ceil(3 * deviation);
  const taps = Array.from({ length: 2 * reach + 1 }, (_, index) => index - reach).map((step) => ({
    step,
    weight: Math.exp(-(step ** 2) / (2 * deviation ** 2)),
  }));
  const total = taps.reduce((sum, { weight }) => sum + weight, 0);
  const pass = ({ width, height, data }: PlanarImage, right: number, down: number): PlanarImage => {
    const area = width * height;
    const blurred = data.map((_, index) => {
      const start = Math.floor(index / area) * area;
      const [row, column] = [Math.floor((index % area) / width), index % width];
      let sum = 0;
      for (const { step, weight } of taps)
        sum +=
          weight *
          data[start + within(row + down * step, height) * width + within(column + right * step, width)];
      return clip(sum / total);
    });
    return { width, height, data: blurred };
  };
  return pass(pass(image, 1, 0), 0, 1);
}
