import type { ImageSize } from "../clip/architecture.ts";
import { CHANNELS, within } from "../evaluation/pixels.ts";

/** How an image is turned about its centre. */
export interface Turn {
  readonly mirrored: boolean;
  /** Against the clock. */
  readonly degrees: number;
}

/**
 * An image [3, H, W], mirrored or turned: every pixel is interpolated between the four that it falls between. Where a
 * turned image has nothing, its edge goes on.
 */
export function turned(
  pixels: Float32Array,
  { height, width }: ImageSize,
  { mirrored, degrees }: Turn,
): Float32Array {
  const [sine, cosine] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  const [middle, centre] = [(height - 1) / 2, (width - 1) / 2];
  const plane = height * width;
  const view = new Float32Array(CHANNELS * plane);
  for (let row = 0, at = 0; row < height; row++) {
    const down = row - middle;
    for (let column = 0; column < width; column++, at++) {
      const right = column - centre;
      const across = cosine * right - sine * down;
      const x = within(centre + (mirrored ? -across : across), width);
      const y = within(middle + sine * right + cosine * down, height);
      const [left, top] = [Math.floor(x), Math.floor(y)];
      const corner = top * width + left;
      // On the last column and row there is nothing further to interpolate with.
      const [next, below] = [left + 1 < width ? 1 : 0, top + 1 < height ? width : 0];
      const [toRight, toBottom] = [x - left, y - top];
      for (let from = corner, to = at; to < view.length; from += plane, to += plane) {
        const upper = pixels[from] + toRight * (pixels[from + next] - pixels[from]);
        const lower = pixels[from + below] + toRight * (pixels[from + below + next] - pixels[from + below]);
        view[to] = upper + toBottom * (lower - upper);
      }
    }
  }
  return view;
}
