import { describe, expect, test } from "@jest/globals";
import { randomStream } from "../../src/engine/random.ts";

const draw = (count: number, next: () => number) => Array.from({ length: count }, next);

describe("a random stream", () => {
  test("is the same for the same place and another for any other", () => {
    const numbers = (...place: (string | number)[]) => draw(4, randomStream(1, ...place).uniform);
    expect(numbers("tune", 3)).toEqual(numbers("tune", 3));
    const others = [numbers("tune", 4), numbers("tune"), numbers("tun", "e", 3), numbers("tune", 3, 0)];
    for (const other of others) expect(other).not.toEqual(numbers("tune", 3));
    expect(draw(4, randomStream(2, "tune", 3).uniform)).not.toEqual(numbers("tune", 3));
  });

  test("never changes, or a resumed run would not go on as it began", () => {
    expect(draw(3, randomStream(1, "order", 0).uniform)).toMatchSnapshot();
  });

  test("has the moments of its distributions", () => {
    const random = randomStream(7);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const uniform = draw(20_000, random.uniform);
    expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...uniform)).toBeLessThan(1);
    expect(mean(uniform)).toBeCloseTo(0.5, 1);
    const normal = draw(20_000, random.normal);
    expect(mean(normal)).toBeCloseTo(0, 1);
    expect(mean(normal.map((value) => value ** 2))).toBeCloseTo(1, 1);
  });

  test("permutes every item to exactly one place", () => {
    const order = randomStream(3).permutation(100);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(order).not.toEqual([...order].sort((a, b) => a - b));
  });
});
