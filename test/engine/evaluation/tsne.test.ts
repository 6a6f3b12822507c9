import { describe, expect, test } from "@jest/globals";
import { tsne } from "../../../src/engine/evaluation/tsne.ts";
import { randomStream } from "../../../src/engine/random.ts";

describe("t-SNE", () => {
  const [COUNT, WIDTH] = [60, 10];
  const random = randomStream(2, "blobs");
  // Two blobs whose middles are ten deviations apart, one after the other.
  const points = Float32Array.from(
    { length: COUNT * WIDTH },
    (_, index) => random.normal() + (index < (COUNT * WIDTH) / 2 ? 0 : 10 / Math.sqrt(WIDTH)),
  );
  const map = tsne(points, WIDTH, { perplexity: 10, steps: 400 });

  test("keeps two blobs apart, and each together", () => {
    expect(map.every(Number.isFinite)).toBe(true);
    const distance = (a: number, b: number) =>
      Math.hypot(map[2 * a] - map[2 * b], map[2 * a + 1] - map[2 * b + 1]);
    const same = (a: number, b: number) => a < COUNT / 2 === b < COUNT / 2;
    for (let own = 0; own < COUNT; own++) {
      const others = Array.from({ length: COUNT }, (_, index) => index).filter((index) => index !== own);
      const nearest = others.sort((a, b) => distance(own, a) - distance(own, b)).slice(0, 10);
      expect(nearest.every((index) => same(own, index))).toBe(true);
    }
  });

  test("is the same for the same seed, and centred", () => {
    expect(tsne(points, WIDTH, { perplexity: 10, steps: 400 })).toEqual(map);
    const sum = map.reduce((total, value, index) => total + (index % 2 === 0 ? value : 0), 0);
    expect(Math.abs(sum)).toBeLessThan(1e-6);
  });
});
