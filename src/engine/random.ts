/** A deterministic source of random numbers. */
export interface Random {
  /** Uniform in [0, 1), a multiple of 2⁻³². */
  uniform(): number;
  /** Standard normal (Box and Muller, one of the pair). */
  normal(): number;
  /** A whole number in [0, count). */
  below(count: number): number;
  /** 0 to count − 1 in random order (Fisher and Yates). */
  permutation(count: number): number[];
}

/**
 * The stream that belongs to one place of one run, such as `randomStream(seed, "tune", epoch)`. Streams of different
 * places are unrelated, so a resumed run opens the stream of the step it is at and no generator state is stored.
 * xoshiro128** (Blackman and Vigna 2018, arXiv:1805.01407), its state filled by a hash of the place.
 */
export function randomStream(seed: number, ...place: readonly (string | number)[]): Random {
  const next = xoshiro(hashWords(JSON.stringify([seed, ...place])));
  const uniform = () => next() / 2 ** 32;
  const below = (count: number) => Math.floor(uniform() * count);
  return {
    uniform,
    below,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    permutation: (count) => shuffle(count, below),
  };
}

function shuffle(count: number, below: (count: number) => number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  for (let last = count - 1; last > 0; last--) {
    const other = below(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

/** FNV-1a over the text, then four words of splitmix32: enough to keep the streams of one run apart. */
function hashWords(text: string): [number, number, number, number] {
  let hash = 0x811c9dc5;
  let second = 0x9e3779b9;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    second = Math.imul(second ^ text.charCodeAt(index), 0x85ebca6b) ^ (second >>> 13);
  }
  const mix = splitmix32(hash);
  const other = splitmix32(second);
  return [mix(), other(), mix() ^ other(), (mix() ^ Math.imul(other(), 3)) | 1];
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return (word ^ (word >>> 15)) >>> 0;
  };
}

function xoshiro([first, second, third, fourth]: [number, number, number, number]): () => number {
  let [a, b, c, d] = [first, second, third, fourth];
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  };
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
