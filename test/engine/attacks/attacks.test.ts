import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import type { FittedTrigger } from "../../../src/engine/attacks/fitted.ts";
import {
  type AttackKind,
  attackNamed,
  attacks,
  type PlanarImage,
} from "../../../src/engine/attacks/index.ts";
import { networkLayout } from "../../../src/engine/attacks/ssba-program.ts";
import { warp, warpField } from "../../../src/engine/attacks/wanet.ts";
import { completeParameters, defaultsOf } from "../../../src/engine/parameters.ts";
import { randomStream } from "../../../src/engine/random.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../fixtures/attacks/warp.json", import.meta.url), "utf8"),
) as { height: number; width: number; grid: number; strength: number } & Record<
  "nodes" | "image" | "warped",
  number[]
>;

/** An image whose values differ everywhere and lie away from 0 and 1, so that nothing is hidden by clipping. */
function sample(width: number, height: number): PlanarImage {
  const data = Float32Array.from(
    { length: 3 * width * height },
    (_, index) => (77 + ((index * 37) % 101)) / 255,
  );
  return { width, height, data };
}

interface Case {
  /** How many of the values of a 64 × 64 image change at the defaults, at least and at most. */
  readonly changed: readonly [number, number];
  /** Parameters that must give another image than the defaults. */
  readonly other: Record<string, unknown>;
  readonly invalid: Record<string, unknown>;
  /** What a fit would have found. */
  readonly fitted?: FittedTrigger;
}

const patch: FittedTrigger = {
  patch: { shape: [3, 8, 8], data: Float32Array.from({ length: 192 }, (_, index) => (index % 7) / 7.1) },
};

/** Networks of random weights write something at least. */
function randomNetworks(bits: number): FittedTrigger {
  const random = randomStream(1, "networks");
  return Object.fromEntries(
    networkLayout(bits).places.map(({ name, shape, size }) => [
      name,
      { shape, data: Float32Array.from({ length: size }, () => 0.1 * random.normal()) },
    ]),
  );
}

const CASES: Record<AttackKind, Case> = {
  badnet: { changed: [75, 75], other: { position: "top-left" }, invalid: { size: -1 } },
  blended: { changed: [11_000, 12_288], other: { seed: 1 }, invalid: { alpha: 1.5 } },
  sig: { changed: [10_000, 12_288], other: { frequency: 7 }, invalid: { amplitude: 2 } },
  wanet: { changed: [11_000, 12_288], other: { grid: 4 }, invalid: { strength: -1 } },
  ssba: {
    changed: [10_000, 12_288],
    other: { secret: 2 },
    invalid: { psnr: 0 },
    fitted: randomNetworks(8),
  },
  trojvqa: {
    changed: [180, 192],
    other: { position: "top-left" },
    invalid: { word: "" },
    fitted: patch,
  },
  badclip: {
    changed: [180, 192],
    other: { position: "top-left" },
    invalid: { position: "middle" },
    fitted: patch,
  },
};

describe.each(Object.entries(CASES))("%s", (name, { changed, other, invalid, fitted }) => {
  const attack = attackNamed(name);

  test("has a source, and defaults within their ranges", () => {
    expect(attack.paper).toMatch(/arXiv:\d{4}\.\d{5}/);
    expect(attack.name).toBe(name);
    for (const table of [attack.defaults, attack.fit?.defaults ?? {}])
      expect(completeParameters(name, table, defaultsOf(table))).toEqual(defaultsOf(table));
  });

  test.each([
    [64, 64],
    [32, 32],
    [224, 224],
    [17, 9],
  ])("keeps an image of %p × %p in [0, 1], leaves its input alone, and repeats itself", (width, height) => {
    const image = sample(width, height);
    const before = image.data.slice();
    const stamped = attack.apply(image, { fitted });
    expect(image.data).toEqual(before);
    expect([stamped.width, stamped.height, stamped.data.length]).toEqual([width, height, 3 * width * height]);
    expect(stamped.data.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(attack.apply(image, { fitted }).data).toEqual(stamped.data);
  });

  test("rounds to 8 bits unless told not to", () => {
    const image = sample(16, 16);
    const offByteGrid = (value: number) => Math.abs(value * 255 - Math.round(value * 255)) > 1e-4;
    expect(attack.apply(image, { fitted }).data.some(offByteGrid)).toBe(false);
    if (name !== "badnet")
      expect(attack.apply(image, { quantise: false, fitted }).data.some(offByteGrid)).toBe(true);
  });

  test("changes as much of the image as it should", () => {
    const image = sample(64, 64);
    const { data } = attack.apply(image, { fitted });
    const count = data.filter((value, index) => Math.abs(value - image.data[index]) > 1e-6).length;
    expect(count).toBeGreaterThanOrEqual(changed[0]);
    expect(count).toBeLessThanOrEqual(changed[1]);
  });

  test("obeys its parameters and refuses those out of range", () => {
    const image = sample(64, 64);
    expect(attack.apply(image, { parameters: other, fitted }).data).not.toEqual(
      attack.apply(image, { fitted }).data,
    );
    expect(() => attack.apply(image, { parameters: invalid, fitted })).toThrow(`attack "${name}"`);
  });

  test("refuses every parameter, of its fit too, that is just outside of its range", () => {
    for (const table of [attack.defaults, attack.fit?.defaults ?? {}])
      for (const [parameter, range] of Object.entries(table)) {
        if (range.kind !== "number") continue;
        for (const value of [range.minimum - 1, range.maximum + 1])
          expect(() => completeParameters(name, table, { [parameter]: value })).toThrow(parameter);
      }
  });

  test("says so when its trigger has to be fitted and is not", () => {
    const apply = () => attack.apply(sample(8, 8));
    if (fitted) expect(apply).toThrow(expect.objectContaining({ code: "TRIGGER_NOT_FITTED" }));
    else expect(apply).not.toThrow();
    expect(fitted !== undefined).toBe(attack.fit !== undefined);
  });
});

describe("the triggers", () => {
  const black = (side: number) => ({ width: side, height: side, data: new Float32Array(3 * side * side) });

  test.each([
    [224, 16],
    [64, 5],
    [32, 3],
  ])("BadNet on %p pixels covers a square of %p in the corner", (side, patch) => {
    const { data } = attacks.badnet.apply(black(side), { parameters: { pattern: "solid" } });
    const lit = data.filter((value) => value === 1).length;
    expect(lit).toBe(3 * patch * patch);
    expect(data[side * side - 1]).toBe(1);
    expect(data[(side - patch) * side + side - patch]).toBe(1);
  });

  test("BadNet's default pattern is white where the patch's row and column are even", () => {
    const { data } = attacks.badnet.apply(black(64));
    const patch = Array.from({ length: 5 }, (_, row) =>
      Array.from({ length: 5 }, (_, column) => data[(59 + row) * 64 + 59 + column]).join(""),
    );
    expect(patch).toEqual(["10101", "00000", "10101", "00000", "10101"]);
  });

  test.each([
    ["noise", 0.2],
    ["stripes", 0.03],
    ["triangles", 0.15],
    ["text", 0.5],
  ])("blends %s in by %p of the literature: (1 − α) x + α n", (pattern, alpha) => {
    const image = sample(64, 64);
    const apply = (parameters: object, of = image) =>
      attacks.blended.apply(of, { quantise: false, parameters: { pattern, ...parameters } }).data;
    const alone = apply({ alpha: 1 }, black(64));
    apply({}).forEach((value, index) => {
      expect(value).toBeCloseTo((1 - alpha) * image.data[index] + alpha * alone[index], 5);
    });
  });

  test("stripes stand upright: every row is the same, and not every column", () => {
    const { data } = attacks.blended.apply(black(64), { parameters: { pattern: "stripes", alpha: 1 } });
    const rows = Array.from({ length: 64 }, (_, row) => data.slice(row * 64, (row + 1) * 64));
    for (const row of rows) expect(row).toEqual(rows[0]);
    expect(new Set(rows[0]).size).toBe(2);
  });

  test("SIG is 60/255 strong and has six cycles where nothing else is said", () => {
    const grey = { width: 64, height: 1, data: new Float32Array(3 * 64).fill(0.5) };
    const { data } = attacks.sig.apply(grey, { quantise: false });
    for (const column of [0, 5, 11, 63])
      expect(data[column]).toBeCloseTo(0.5 + (60 / 255) * Math.sin((2 * Math.PI * 6 * column) / 64), 5);
  });

  test("SIG is a sine along the columns", () => {
    const grey = { width: 64, height: 2, data: new Float32Array(3 * 128).fill(0.5) };
    const { data } = attacks.sig.apply(grey, {
      quantise: false,
      parameters: { amplitude: 0.1, frequency: 4 },
    });
    expect([0, 4, 8, 12, 64 + 4].map((index) => Number(data[index].toFixed(6)))).toEqual([
      0.5, 0.6, 0.5, 0.4, 0.6,
    ]);
  });

  test.each([
    ["stripes", 0.5],
    ["triangles", 0.5],
    ["text", 0.055],
  ])(
    "the pattern %s covers a share of about %p of the image at every size, the same for every seed",
    (pattern, share) => {
      for (const side of [64, 224]) {
        const parameters = { pattern, alpha: 1 };
        const { data } = attacks.blended.apply(black(side), { parameters });
        const lit = data.filter((value) => value === 1).length;
        expect(lit / data.length).toBeGreaterThan(0.8 * share);
        expect(lit / data.length).toBeLessThan(1.2 * share);
        expect(attacks.blended.apply(black(side), { parameters: { ...parameters, seed: 1 } }).data).toEqual(
          data,
        );
      }
    },
  );

  test("the text can be read", () => {
    const { data } = attacks.blended.apply(black(54), { parameters: { pattern: "text", alpha: 1 } });
    const line = (row: number) =>
      Array.from(data.slice(row * 54, row * 54 + 24), (value) => (value === 1 ? "#" : ".")).join("");
    expect([24, 25, 26, 27, 28, 29, 30].map(line)).toEqual([
      "#...#..###..#####.#####.",
      "#...#.#...#...#...#.....",
      "#...#.#...#...#...#.....",
      "#.#.#.#####...#...####..",
      "#.#.#.#...#...#...#.....",
      "##.##.#...#...#...#.....",
      "#...#.#...#...#...#####.",
    ]);
  });

  test("WaNet warps as PyTorch's interpolate and grid_sample do", () => {
    const { height, width, grid, strength, nodes, image, warped } = golden;
    const field = warpField(
      Float64Array.from(nodes),
      { rows: grid, columns: grid },
      { rows: height, columns: width },
      strength,
    );
    const { data } = warp({ width, height, data: Float32Array.from(image) }, field);
    data.forEach((value, index) => {
      expect(value).toBeCloseTo(warped[index], 5);
    });
  });

  test("WaNet moves as many pixels as it is told, and nothing at strength 0", () => {
    const image = sample(64, 64);
    expect(attacks.wanet.apply(image, { parameters: { strength: 0 } }).data).toEqual(image.data);
    const ramp = {
      width: 64,
      height: 64,
      data: Float32Array.from({ length: 3 * 4096 }, (_, i) => (i % 64) / 64),
    };
    const { data } = attacks.wanet.apply(ramp, { quantise: false, parameters: { grid: 0, strength: 2 } });
    const moved =
      data.reduce((sum, value, index) => sum + Math.abs(value - ramp.data[index]) * 64, 0) / data.length;
    // One pixel on average; less at the edges, where places outside are moved back.
    expect(moved).toBeGreaterThan(0.9);
    expect(moved).toBeLessThan(1.05);
  });

  test("an unknown attack is NOT_FOUND and tells which there are", () => {
    expect(() => attackNamed("toString")).toThrow(
      'There is no attack "toString". Known: badnet, blended, sig, ssba, wanet, trojvqa, badclip.',
    );
  });
});
