import { describe, expect, test } from "@jest/globals";
import { type Cell, digestOf, inOrder } from "../../reproduce/cell.ts";
import { expected } from "../../reproduce/expected.ts";
import { inWords } from "../../reproduce/progress.ts";
import { mostAwaitedFirst } from "../../reproduce/schedule.ts";

const images: Cell<"render"> = {
  kind: "render",
  name: "images",
  input: { seed: 5, perClass: 2, order: "turns" },
  needs: {},
};

const encoded: Cell<"encode"> = {
  kind: "encode",
  name: "encoded",
  input: { weights: "abc", trigger: { kind: "blended", alpha: 0.2, pattern: "noise" } },
  needs: { images },
  folder: "/somewhere",
};

describe("a cell", () => {
  test("is named by what its result depends on, and by nothing else", () => {
    const trigger = { pattern: "noise", alpha: 0.2, kind: "blended" };
    const same = { ...encoded, name: "other", folder: "/elsewhere", input: { trigger, weights: "abc" } };
    expect(digestOf(same)).toBe(digestOf(encoded));
    const others = [
      { ...encoded, input: { ...encoded.input, weights: "abd" } },
      { ...encoded, input: { weights: "abc", trigger: { ...trigger, alpha: 0.3 } } },
      { ...encoded, needs: { images: { ...images, input: { ...images.input, seed: 6 } } } },
      { ...encoded, kind: "measure" as const },
    ];
    const digests = [encoded, ...others].map((cell) => digestOf(cell as Cell));
    expect(new Set(digests).size).toBe(5);
    expect(digestOf(encoded)).toMatch(/^[0-9a-f]{32}$/);
  });

  test("comes after all that it needs, once", () => {
    const again = { ...encoded, needs: { images: { ...images } } };
    expect(inOrder([encoded, images, again])).toEqual([images, encoded]);
  });

  test("comes the earlier the more computing waits for it, and after its needs", () => {
    const many: Cell<"render"> = { ...images, name: "many", input: { ...images.input, perClass: 5000 } };
    const alone: Cell<"render"> = { ...images, name: "alone", input: { ...images.input, perClass: 3000 } };
    const mapped: Cell<"encode"> = { ...encoded, needs: { images: many } };
    // 120 s of rendering alone are less than 200 s of rendering and 500 s of encoding after it.
    expect([alone, many].map(expected)).toEqual([120, 200]);
    const given = inOrder([images, alone, mapped, encoded]);
    expect(mostAwaitedFirst(given)).toEqual([many, mapped, alone, images, encoded]);
    expect(mostAwaitedFirst(inOrder([alone, mapped]))).toEqual([many, mapped, alone]);
  });
});

describe("the time left", () => {
  test("is guessed from what a cell has to do", () => {
    const more = { ...encoded, needs: { images: { ...images, input: { ...images.input, perClass: 4 } } } };
    expect(expected(more)).toBe(2 * expected(encoded));
    expect([inWords(12.2), inWords(150), inWords(3 * 3600 + 60)]).toEqual(["13 s", "3 min", "3 h 1 min"]);
  });
});
