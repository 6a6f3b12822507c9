import { KERNELS } from "./kernels-binary.ts";
import type { Taps } from "./taps.ts";

/** Red, green and blue. */
export const CHANNELS = 3;

/** What is used of WebAssembly here; TypeScript declares it only beside a browser's names. */
declare const WebAssembly: {
  readonly Module: new (code: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: object };
};

/** Pointers and counts; see kernels.wat. */
type Kernel = (...values: number[]) => void;

interface Kernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly resampleRows: Kernel;
  readonly resampleColumns: Kernel;
}

const PAGE = 65_536;
/** Bytes of input rows that lie in the kernels' memory at once: they stay in a processor's cache. */
const ROWS_AT_ONCE = 4 * PAGE;
/** Bytes of memory that are kept for the next image; only images of extreme proportions need more. */
const MOST_KEPT = 256 * PAGE;
/** Bytes that the kernels read and write beyond the last row. */
const SPARE = 16;

const compiled = new WebAssembly.Module(Buffer.from(KERNELS, "base64"));
const instantiate = (): Kernels => new WebAssembly.Instance(compiled).exports as Kernels;
/** This thread's; nothing stays in its memory from one call to the next. */
let kernels = instantiate();

/** Resamples rows of `inputWidth` pixels; the result has one pixel for each position of `across`. */
export function resampleRows(input: Uint8Array, inputWidth: number, across: Taps, rows: number): Uint8Array {
  const bytes = inputWidth * CHANNELS;
  const columns = across.first.length;
  const most = Math.min(rows, Math.max(1, Math.floor(ROWS_AT_ONCE / bytes)));
  const output = new Uint8Array(rows * columns * CHANNELS);
  within(across, most * bytes, most * columns * CHANNELS, (taps, from, to, memory) => {
    for (let row = 0; row < rows; row += most) {
      const count = Math.min(most, rows - row);
      memory.set(input.subarray(row * bytes, (row + count) * bytes), from);
      kernels.resampleRows(from, bytes, count, ...taps, columns, to);
      output.set(memory.subarray(to, to + count * columns * CHANNELS), row * columns * CHANNELS);
    }
  });
  return output;
}

/** Resamples columns of rows that have so many bytes each; row 0 of `input` is the image's row `top`. */
export function resampleColumns(input: Uint8Array, bytes: number, down: Taps, top: number): Uint8Array {
  const rows = down.first.length;
  return within(down, input.length, rows * bytes, (taps, from, to, memory) => {
    memory.set(input, from);
    kernels.resampleColumns(from - top * bytes, bytes, ...taps, rows, to);
    return memory.slice(to, to + rows * bytes);
  });
}

/**
 * Lays taps, room for an input and room for an output into the kernels' memory, in this order.
 *
 * @param use is given what the kernels are told of the taps, where the input and the output are, and the memory.
 */
function within<Made>(
  { first, count, weights, stride }: Taps,
  inputBytes: number,
  outputBytes: number,
  use: (taps: readonly number[], from: number, to: number, memory: Uint8Array) => Made,
): Made {
  const counts = first.byteLength;
  const weightsAt = counts + count.byteLength;
  const from = weightsAt + weights.byteLength;
  const to = from + inputBytes + SPARE;
  const missing = to + outputBytes + SPARE - kernels.memory.buffer.byteLength;
  if (missing > 0) kernels.memory.grow(Math.ceil(missing / PAGE));
  const words = new Int32Array(kernels.memory.buffer);
  words.set(first, 0);
  words.set(count, counts / 4);
  words.set(weights, weightsAt / 4);
  const made = use([0, counts, weightsAt, 4 * stride], from, to, new Uint8Array(kernels.memory.buffer));
  if (kernels.memory.buffer.byteLength > MOST_KEPT) kernels = instantiate();
  return made;
}
