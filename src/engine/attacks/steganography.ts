import { randomStream } from "../random.ts";
import type { PlanarImage } from "./attack.ts";
import { type FittedTrigger, fittedTensor } from "./fitted.ts";

/**
 * A small pair of networks in the manner of StegaStamp (Tancik et al. 2020, arXiv:1904.05343): one writes bits into an
 * image as a faint residual that follows the image, one reads them. Both work on blocks of 4 × 4 pixels with three
 * convolutions of 3 × 3 and ReLU between them, so they take images of any size.
 */

/** Side of a block of pixels, and the values in it. */
export const BLOCK = 4;
export const BLOCK_VALUES = 3 * BLOCK * BLOCK;
const WIDTH = 32;

/** A convolution of 3 × 3, its edges padded with zeros; weights are [outputs, inputs, 3, 3], biases [outputs]. */
export interface Layer {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
}

/** Blocks and a plane for each bit to the residual's blocks. */
export const encoderLayers = (bits: number): readonly Layer[] =>
  layersOf("encoder", [BLOCK_VALUES + bits, WIDTH, WIDTH, BLOCK_VALUES]);

/** Blocks to a logit for each bit, to be averaged over the places. */
export const decoderLayers = (bits: number): readonly Layer[] =>
  layersOf("decoder", [BLOCK_VALUES, WIDTH, WIDTH, bits]);

function layersOf(network: string, widths: readonly number[]): Layer[] {
  return widths.slice(1).map((outputs, index) => ({
    name: `${network}.${index + 1}`,
    inputs: widths[index]!,
    outputs,
  }));
}

/** How many bits a fitted pair writes. */
export const bitsOf = (fitted: FittedTrigger): number =>
  fittedTensor(fitted, "decoder.3.bias", [0]).data.length;

/** The bits, 0 or 1 each, that a secret number stands for. */
export function bitsOfSecret(secret: number, count: number): number[] {
  const random = randomStream(secret, "bits");
  return Array.from({ length: count }, () => random.below(2));
}

/** The image with a residual of that root mean square that carries the bits; values may leave [0, 1]. */
export function writeBits(
  image: PlanarImage,
  bits: readonly number[],
  loudness: number,
  fitted: FittedTrigger,
): PlanarImage {
  const { blocks, rows, columns } = toBlocks(image);
  const planes = new Float32Array((BLOCK_VALUES + bits.length) * rows * columns);
  planes.set(blocks);
  bits.forEach((bit, index) => {
    const start = (BLOCK_VALUES + index) * rows * columns;
    planes.fill(signOf(bit), start, start + rows * columns);
  });
  const residual = forward(planes, { rows, columns }, encoderLayers(bits.length), fitted);
  return addResidual(image, residual, { rows, columns }, loudness);
}

/** The bits that the decoder reads in an image. */
export const readBits = (image: PlanarImage, fitted: FittedTrigger): number[] =>
  readLogits(image, fitted).map((logit) => (logit > 0 ? 1 : 0));

/** How sure the decoder is of each bit of an image: above 0 it reads a 1. */
export function readLogits(image: PlanarImage, fitted: FittedTrigger): number[] {
  const { blocks, rows, columns } = toBlocks(image);
  const count = bitsOf(fitted);
  const logits = forward(blocks, { rows, columns }, decoderLayers(count), fitted);
  const places = rows * columns;
  return Array.from(
    { length: count },
    (_, bit) =>
      logits.subarray(bit * places, (bit + 1) * places).reduce((sum, value) => sum + value, 0) / places,
  );
}

/** Keeps a residual of zeros from being divided by zero. */
export const LEAST_POWER = 1e-12;

/** The root mean square of a residual of so many decibels of peak signal-to-noise ratio, for values in [0, 1]. */
export const loudnessOf = (psnr: number): number => 10 ** (-psnr / 20);

/** Networks see a bit as −1 or 1. */
export const signOf = (bit: number): number => 2 * bit - 1;

interface Grid {
  readonly rows: number;
  readonly columns: number;
}

/** Calls back with the index of every value of an image and of its place among the blocks [48, rows, columns]. */
function eachPlace(
  { width, height }: Pick<PlanarImage, "width" | "height">,
  { rows, columns }: Grid,
  visit: (pixel: number, place: number) => void,
): void {
  for (let plane = 0; plane < BLOCK_VALUES; plane++) {
    const channel = Math.floor(plane / (BLOCK * BLOCK));
    const [down, right] = [Math.floor(plane / BLOCK) % BLOCK, plane % BLOCK];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const line = Math.min(height - 1, row * BLOCK + down);
        const place = Math.min(width - 1, column * BLOCK + right);
        visit((channel * height + line) * width + place, (plane * rows + row) * columns + column);
      }
  }
}

/** Blocks as planes [48, rows, columns], centred at 0; where a side is no multiple of 4 its last pixels repeat. */
function toBlocks(image: PlanarImage): Grid & { readonly blocks: Float32Array } {
  const grid = { rows: Math.ceil(image.height / BLOCK), columns: Math.ceil(image.width / BLOCK) };
  const blocks = new Float32Array(BLOCK_VALUES * grid.rows * grid.columns);
  eachPlace(image, grid, (pixel, place) => {
    blocks[place] = image.data[pixel]! - 0.5;
  });
  return { ...grid, blocks };
}

function addResidual(image: PlanarImage, blocks: Float32Array, grid: Grid, loudness: number): PlanarImage {
  const { width, height } = image;
  const residual = new Float32Array(image.data.length);
  // A pixel that was repeated takes the residual of its last repetition.
  eachPlace(image, grid, (pixel, place) => {
    residual[pixel] = blocks[place]!;
  });
  const power = residual.reduce((sum, value) => sum + value * value, 0) / residual.length;
  const factor = loudness / Math.sqrt(power + LEAST_POWER);
  return { width, height, data: image.data.map((value, index) => value + factor * residual[index]!) };
}

function forward(
  input: Float32Array,
  grid: Grid,
  layers: readonly Layer[],
  fitted: FittedTrigger,
): Float32Array {
  return layers.reduce((values, { name, inputs, outputs }, index) => {
    const weight = fittedTensor(fitted, `${name}.weight`, [outputs, inputs, 3, 3]).data;
    const bias = fittedTensor(fitted, `${name}.bias`, [outputs]).data;
    const result = convolve(values, grid, { weight, bias, inputs, outputs });
    return index < layers.length - 1 ? result.map((value) => Math.max(0, value)) : result;
  }, input);
}

function convolve(
  values: Float32Array,
  { rows, columns }: Grid,
  {
    weight,
    bias,
    inputs,
    outputs,
  }: { weight: Float32Array; bias: Float32Array; inputs: number; outputs: number },
): Float32Array {
  const size = rows * columns;
  const result = new Float32Array(outputs * size);
  for (let output = 0; output < outputs; output++) {
    const start = output * size;
    result.fill(bias[output]!, start, start + size);
    for (let tap = 0; tap < 9 * inputs; tap++) {
      const factor = weight[output * 9 * inputs + tap]!;
      const plane = Math.floor(tap / 9) * size;
      const [down, right] = [(Math.floor(tap / 3) % 3) - 1, (tap % 3) - 1];
      const [first, last] = [Math.max(0, -right), Math.min(columns, columns - right)];
      for (let row = Math.max(0, -down); row < Math.min(rows, rows - down); row++) {
        const to = start + row * columns;
        const from = plane + (row + down) * columns + right;
        for (let column = first; column < last; column++)
          result[to + column]! += factor * values[from + column]!;
      }
    }
  }
  return result;
}
