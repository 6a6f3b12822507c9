import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import loadWabt from "wabt";
import { CHANNELS, resampleColumns, resampleRows } from "../../../src/engine/clip/resampling/kernels.ts";
import { KERNELS } from "../../../src/engine/clip/resampling/kernels-binary.ts";
import { knownTaps, type Taps } from "../../../src/engine/clip/resampling/taps.ts";
import { seededRandom } from "../../../zoo/scenes/random.ts";

const SOURCE = join(__dirname, "../../../src/engine/clip/resampling/kernels.wat");

test("kernels-binary.ts holds what kernels.wat compiles to", async () => {
  const wabt = await loadWabt();
  const module = wabt.parseWat("kernels.wat", await readFile(SOURCE));
  module.validate();
  const { buffer } = module.toBinary({});
  expect(KERNELS).toBe(Buffer.from(buffer).toString("base64"));
});

const random = seededRandom(8);
const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => 256 * random());

/** One value, in whole numbers that are exact beyond 32 bits. */
function plainSum(
  { weights, stride, count }: Taps,
  position: number,
  value: (tap: number) => number,
): number {
  let sum = 2 ** 21;
  for (let tap = 0; tap < count[position]; tap++) sum += value(tap) * weights[position * stride + tap];
  return Math.min(255, Math.max(0, Math.floor(sum / 2 ** 22)));
}

// Shrunk, enlarged, one pixel, rows and columns that are no multiple of what is computed at once, one row that is
// longer than what the kernels' memory holds of rows, and more rows than that.
test.each([
  [50, 30, 20, 16],
  [7, 5, 33, 21],
  [1, 1, 5, 3],
  [3, 9, 1, 1],
  [120_000, 2, 224, 5],
  [300, 1000, 13, 224],
])("%i × %i pixels to %i × %i are the sums that they should be", (width, height, columns, rows) => {
  const input = bytes(width * height * CHANNELS);
  const across = knownTaps(width, columns, 0, columns, "bicubic");
  const narrow = Uint8Array.from({ length: height * columns * CHANNELS }, (_, at) => {
    const [row, column, channel] = placeOf(at, columns);
    const first = row * width + across.first[column];
    return plainSum(across, column, (tap) => input[(first + tap) * CHANNELS + channel]);
  });
  expect(firstDifference(resampleRows(input, width, across, height), narrow)).toBeUndefined();

  const down = knownTaps(height, rows, 0, rows, "bilinear");
  const small = Uint8Array.from({ length: rows * columns * CHANNELS }, (_, at) => {
    const [row, column, channel] = placeOf(at, columns);
    return plainSum(
      down,
      row,
      (tap) => narrow[((down.first[row] + tap) * columns + column) * CHANNELS + channel],
    );
  });
  expect(firstDifference(resampleColumns(narrow, columns * CHANNELS, down, 0), small)).toBeUndefined();
});

const placeOf = (at: number, columns: number): [row: number, column: number, channel: number] => {
  const pixel = Math.floor(at / CHANNELS);
  return [Math.floor(pixel / columns), pixel % columns, at % CHANNELS];
};

/** Comparing byte by byte with `toEqual` takes minutes. */
function firstDifference(found: Uint8Array, expected: Uint8Array): number | undefined {
  if (found.length !== expected.length) return Math.min(found.length, expected.length);
  const at = found.findIndex((value, index) => value !== expected[index]);
  return at < 0 ? undefined : at;
}
