import { describe, expect, test } from "@jest/globals";
import { triggerOf } from "../../../src/engine/attacks/trigger.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { denoised } from "../../../src/engine/second-look/denoising.ts";
import { filtered } from "../../../src/engine/second-look/filtering.ts";
import { redrawn } from "../../../src/engine/second-look/redrawing.ts";
import { seenAs } from "../../../src/engine/second-look/views.ts";
import { seededRandom } from "../../../zoo/scenes/random.ts";

const SIDE = 64;
const AREA = SIDE ** 2;
const SIZE = { height: SIDE, width: SIDE };

/** A disc before a sky, [3, 64, 64]: the scenes of the bundled world may have patterns of their own. */
function picture(seed: number): Float32Array {
  const random = seededRandom(seed);
  const between = (low: number, high: number) => low + (high - low) * random();
  const [row, column, radius] = [between(20, 44), between(20, 44), between(10, 18)];
  const colours = Array.from({ length: 3 }, () => [between(0.1, 0.4), between(0.5, 0.9)]);
  return Float32Array.from({ length: 3 * AREA }, (_, at) => {
    const [down, right] = [Math.floor((at % AREA) / SIDE), at % SIDE];
    const [sky, disc] = colours[Math.floor(at / AREA)];
    return Math.hypot(down - row, right - column) < radius ? disc : sky + (0.2 * down) / SIDE;
  });
}

const attacked = (pixels: Float32Array, kind: string, given: object): Float32Array =>
  triggerOf(kind, given).stamp({ ...SIZE, data: pixels }).data;

const distance = (one: Float32Array, other: Float32Array): number =>
  Math.sqrt(one.reduce((sum, value, at) => sum + (value - other[at]) ** 2, 0) / one.length);

const SEEDS = [1, 2, 3];

describe("filtered", () => {
  const PATTERNS: [string, object][] = [
    ["sig", {}],
    ["sig", { frequency: 4.5 }],
    ["blended", { pattern: "stripes", alpha: 0.15 }],
  ];

  test.each(PATTERNS)("a picture is nearly rid of %s %p", (kind, given) => {
    for (const seed of SEEDS) {
      const clean = picture(seed);
      const triggered = attacked(clean, kind, given);
      expect(distance(filtered(triggered, SIZE), clean)).toBeLessThan(distance(triggered, clean) / 2);
    }
  });

  test("a picture without a pattern is nearly as it was", () => {
    for (const seed of SEEDS) {
      const clean = picture(seed);
      expect(distance(filtered(clean, SIZE), clean)).toBeLessThan(0.03);
    }
  });

  test("is not bound to sides that are powers of two", () => {
    const size = { height: 45, width: 70 };
    const wave = Float32Array.from(
      { length: 3 * 45 * 70 },
      (_, at) => 0.5 + 0.3 * Math.sin((2 * Math.PI * 10 * (at % 70)) / 70),
    );
    for (const value of filtered(wave, size)) expect(value).toBeCloseTo(0.5, 5);
  });
});

describe("denoised", () => {
  test("a picture is nearly rid of its noise", () => {
    for (const seed of SEEDS) {
      const clean = picture(seed);
      const random = randomStream(seed, "noise");
      const noisy = clean.map((value) => value + 0.06 * random.normal());
      expect(distance(denoised(noisy, SIZE), clean)).toBeLessThan(0.6 * distance(noisy, clean));
    }
  });

  test("Blended noise is undone, its contrast with it", () => {
    for (const seed of SEEDS) {
      const clean = picture(seed);
      const triggered = attacked(clean, "blended", { pattern: "noise" });
      const seen = seenAs("DENOISED", triggered, SIZE);
      expect(distance(seen, clean)).toBeLessThan(0.6 * distance(triggered, clean));
    }
  });

  test("what has no noise is the same", () => {
    const half = Float32Array.from({ length: 3 * AREA }, (_, at) => (at % SIDE < 32 ? 0.2 : 0.7));
    expect(denoised(half, SIZE)).toEqual(half);
  });
});

describe("redrawn", () => {
  test("a single pixel is gone, and an edge stays where it is", () => {
    const edge = Float32Array.from({ length: 3 * AREA }, (_, at) => (at % SIDE < 32 ? 0.2 : 0.7));
    const spotted = edge.slice();
    spotted[10 * SIDE + 10] = 1;
    const seen = redrawn(spotted, SIZE);
    expect(seen[10 * SIDE + 10]).toBeCloseTo(0.2, 6);
    expect(seen[31]).toBeLessThan(0.2);
    expect(seen[32]).toBeGreaterThan(0.7);
  });
});
