import type { ImageSize } from "../clip/architecture.ts";
import { blur, clip, within } from "../evaluation/pixels.ts";

/** Deviation in pixels of the blur that edges are told by. */
const BLUR = 1;

/**
 * An image [3, H, W] drawn again: each pixel the median of the nine about it, so that what is smaller is gone, and then
 * as much further from its surroundings as it was (an unsharp mask), so that edges are where they were.
 */
export function redrawn(pixels: Float32Array, size: ImageSize): Float32Array {
  const data = medians(pixels, size);
  const surroundings = blur({ ...size, data }, BLUR).data;
  return data.map((value, at) => clip(2 * value - surroundings[at]));
}

function medians(pixels: Float32Array, { height, width }: ImageSize): Float32Array {
  const around = new Float32Array(9);
  const medians = new Float32Array(pixels.length);
  const plane = height * width;
  for (let at = 0; at < pixels.length; at++) {
    const start = at - (at % plane);
    const [row, column] = [Math.floor((at % plane) / width), at % width];
    let count = 0;
    for (let down = -1; down <= 1; down++) {
      const line = start + within(row + down, height) * width;
      for (let right = -1; right <= 1; right++)
        insert(around, count++, pixels[line + within(column + right, width)]);
    }
    medians[at] = around[4];
  }
  return medians;
}

/** Puts a value where it belongs among the first `count`, which are in order. */
function insert(sorted: Float32Array, count: number, value: number): void {
  let place = count;
  for (; place > 0 && sorted[place - 1] > value; place--) sorted[place] = sorted[place - 1];
  sorted[place] = value;
}
