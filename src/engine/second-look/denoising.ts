import type { ImageSize } from "../clip/architecture.ts";
import { CHANNELS, clip } from "../evaluation/pixels.ts";

/** Side of the blocks that are looked at by themselves, and pixels from one to the next. */
const SIDE = 8;
const STEP = 4;
/** So many standard deviations of the noise a coefficient has to be to stay. */
const THRESHOLD = 2;

/** Orthonormal cosines [SIDE, SIDE]: row k has k half cycles over a block's side. */
const COSINES = Float64Array.from({ length: SIDE * SIDE }, (_, index) => {
  const [k, at] = [Math.floor(index / SIDE), index % SIDE];
  return Math.sqrt((k === 0 ? 1 : 2) / SIDE) * Math.cos((Math.PI * (at + 0.5) * k) / SIDE);
});
const BACK = COSINES.map((_, index) => COSINES[(index % SIDE) * SIDE + Math.floor(index / SIDE)]);

/**
 * An image [3, H, W] without the noise that it has: overlapping blocks lose the cosines that are no stronger than noise,
 * and each pixel is the mean over all blocks with it (Yu and Sapiro 2011, "DCT image denoising"). How strong the noise is
 * is told by the image itself, so one without noise stays as it is, and so does one smaller than a block.
 */
export function denoised(pixels: Float32Array, size: ImageSize): Float32Array {
  const { height, width } = size;
  const least = THRESHOLD * noiseOf(pixels, size);
  if (least === 0 || height < SIDE || width < SIDE) return pixels;
  const plane = height * width;
  const view = new Float32Array(CHANNELS * plane);
  for (let channel = 0; channel < CHANNELS; channel++) {
    const from = channel * plane;
    view.set(denoisedPlane(pixels.subarray(from, from + plane), size, least), from);
  }
  return view;
}

function denoisedPlane(plane: Float32Array, { height, width }: ImageSize, least: number): Float64Array {
  const [sums, counts] = [new Float64Array(plane.length), new Float64Array(plane.length)];
  const [block, half] = [new Float64Array(SIDE * SIDE), new Float64Array(SIDE * SIDE)];
  for (const top of startsOf(height))
    for (const left of startsOf(width)) {
      const corner = top * width + left;
      for (let at = 0; at < block.length; at++) block[at] = plane[corner + offsetOf(at, width)];
      changeBasis(COSINES, block, half);
      for (let at = 1; at < block.length; at++) if (Math.abs(block[at]) < least) block[at] = 0;
      changeBasis(BACK, block, half);
      for (let at = 0; at < block.length; at++) {
        const place = corner + offsetOf(at, width);
        sums[place] += block[at];
        counts[place]++;
      }
    }
  return sums.map((sum, at) => clip(sum / counts[at]));
}

/**
 * The standard deviation of an image's noise, by the median of what differs across the smallest squares (Donoho and
 * Johnstone 1994): few of them lie on the edges of things.
 */
function noiseOf(pixels: Float32Array, { height, width }: ImageSize): number {
  const differences: number[] = [];
  for (let start = 0; start < pixels.length; start += height * width)
    for (let row = 0; row + 1 < height; row += 2)
      for (let column = 0; column + 1 < width; column += 2) {
        const at = start + row * width + column;
        const across = pixels[at] - pixels[at + 1];
        differences.push(Math.abs(across - pixels[at + width] + pixels[at + width + 1]) / 2);
      }
  const sorted = Float64Array.from(differences).sort();
  return (sorted[Math.floor(sorted.length / 2)] ?? 0) / MEDIAN_OF_NORMAL;
}

/** Half of what is distributed normally deviates by less than so many standard deviations. */
const MEDIAN_OF_NORMAL = 0.6745;

/** Where blocks begin along a side; the last ends with it. */
function startsOf(length: number): number[] {
  const last = length - SIDE;
  return [...Array.from({ length: Math.ceil(last / STEP) }, (_, index) => index * STEP), last];
}

const offsetOf = (at: number, width: number): number => Math.floor(at / SIDE) * width + (at % SIDE);

/** block ← M · block · Mᵀ; `half` is overwritten. */
function changeBasis(matrix: Float64Array, block: Float64Array, half: Float64Array): void {
  multiply(matrix, block, half);
  multiply(matrix, half, block);
}

/** to ← (matrix · from)ᵀ: twice is once from either side. */
function multiply(matrix: Float64Array, from: Float64Array, to: Float64Array): void {
  for (let row = 0; row < SIDE; row++)
    for (let column = 0; column < SIDE; column++) {
      let sum = 0;
      for (let at = 0; at < SIDE; at++) sum += matrix[row * SIDE + at] * from[at * SIDE + column];
      to[column * SIDE + row] = sum;
    }
}
