import { count, type Value } from "../reference/values.ts";

/** Park and Miller's generator: uniform numbers in (0, 1), the same for the same seed. */
export function uniform(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

export function randomValue(shape: readonly number[], random: () => number, low = -1.5, high = 1.5): Value {
  return { shape, data: Float64Array.from({ length: count(shape) }, () => low + (high - low) * random()) };
}
