/** A source of uniform numbers in [0, 1). The same seed gives the same numbers, for ever. */
export type Random = () => number;

/**
 * Makes a random source from a whole number (xoshiro128**, its state filled by splitmix32).
 * Different seeds give unrelated streams.
 */
export function seededRandom(seed: number): Random {
  const mix = splitmix32(seed);
  let [a, b, c, d] = [mix(), mix(), mix(), mix()];
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result / 2 ** 32;
  };
}

/** Uniform in [low, high). */
export const between = (random: Random, low: number, high: number): number => low + (high - low) * random();

/** A whole number in [0, count). */
export const below = (random: Random, count: number): number => Math.floor(random() * count);

/** One of the items, each as likely as the others. There must be at least one. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[below(random, items.length)];
  if (item === undefined) throw new RangeError("pick() needs at least one item.");
  return item;
}

/** True with the given probability. */
export const chance = (random: Random, probability: number): boolean => random() < probability;

/** A seed for a stream of its own. */
export const freshSeed = (random: Random): number => below(random, 2 ** 31);

/** Normal with mean 0 and variance 1 (Box and Muller). */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return word ^ (word >>> 15);
  };
}

const rotateLeft = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
