/**
 * The numbers that weights and inputs are made of. `generator.py` makes the same ones, bit for bit: only whole-number
 * arithmetic, correctly rounded float32 products and sums, one correctly rounded division and one square root.
 */

const FRACTION = 2 ** -24;

/** A permutation of the 32-bit words in which every bit of the input changes every bit of the output. */
function mix(input: number): number {
  let word = input;
  word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
  word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
  return word ^ (word >>> 15);
}

/** FNV-1a of the stream's name. */
function keyOf(stream: string): number {
  let key = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(stream)) key = Math.imul(key ^ byte, 0x01000193);
  return key;
}

/** The 32-bit words of a stream: each depends on the stream's name and its own place only. */
export function wordsOf(stream: string): (place: number) => number {
  const key = keyOf(stream);
  return (place) => mix(mix((place + 0x9e3779b9) | 0) ^ key) >>> 0;
}

/** Values in [0, 1): multiples of 2⁻²⁴. */
export function uniform(stream: string, count: number): Float32Array {
  const word = wordsOf(stream);
  const values = new Float32Array(count);
  for (let place = 0; place < count; place++) values[place] = (word(place) >>> 8) * FRACTION;
  return values;
}

/** What values of a tensor are: uniform in centre ± size. */
export interface Spread {
  readonly centre: number;
  readonly size: number;
}

/** Fills `values` with those of the stream from place `start` on. */
export function fillSpread(
  values: Float32Array,
  stream: string,
  { centre, size }: Spread,
  start = 0,
): Float32Array {
  const word = wordsOf(stream);
  const [scale, shift] = [Math.fround(size), Math.fround(centre)];
  for (let index = 0; index < values.length; index++) {
    const unit = (2 * (word(start + index) >>> 8) + 1 - 2 ** 24) * FRACTION;
    values[index] = Math.fround(unit * scale) + shift;
  }
  return values;
}

export const noise = (stream: string, count: number, size: number): Float32Array =>
  fillSpread(new Float32Array(count), stream, { centre: 0, size });

/** What keeps signals at about their size in a network of any depth, from a tensor's name and shape. */
export function spreadOf(name: string, shape: readonly number[]): Spread {
  const last = name.slice(name.lastIndexOf(".") + 1);
  // ln(1/0.07), where training begins
  if (last === "logit_scale") return { centre: 2.6592, size: 0 };
  if (last === "running_var") return { centre: 1, size: 0.5 };
  if (last === "running_mean") return { centre: 0, size: 0.1 };
  if (last.endsWith("bias")) return { centre: 0, size: 0.05 };
  if (name.includes("embedding") && shape.length < 3) return { centre: 0, size: 0.05 };
  if (shape.length === 1) return { centre: 1, size: 0.2 };
  const fanIn = shape.slice(1).reduce((product, extent) => product * extent, 1);
  // Convolutions are followed by ReLU, which takes a part.
  return { centre: 0, size: Math.sqrt((shape.length > 2 ? 4 : 3) / fanIn) };
}

/** Noise over sixteen areas of one colour each: images [3, height, width] in [0, 1). */
export function images(count: number, height: number, width: number): Float32Array[] {
  const areas = uniform("images/areas", count * 3 * 16);
  const grains = uniform("images/noise", count * 3 * height * width);
  const area = (at: number, extent: number) => Math.floor((at * 4) / extent);
  return Array.from({ length: count }, (_, image) => {
    const pixels = grains.slice(image * 3 * height * width, (image + 1) * 3 * height * width);
    pixels.forEach((grain, at) => {
      const [plane, row, column] = [
        Math.floor(at / (height * width)),
        Math.floor(at / width) % height,
        at % width,
      ];
      const colour = areas[((image * 3 + plane) * 4 + area(row, height)) * 4 + area(column, width)]!;
      pixels[at] = Math.fround(colour * 0.75) + grain * 0.25;
    });
    return pixels;
  });
}
