import { describe, expect, test } from "@jest/globals";
import { drawView } from "../../../src/engine/cbpt/views.ts";
import { randomStream } from "../../../src/engine/random.ts";

describe("a view", () => {
  const size = { height: 24, width: 32 };
  const pixels = Float32Array.from({ length: 3 * 24 * 32 }, (_, index) => ((index * 17) % 256) / 255);

  test("is another image in [0, 1], the same for the same random stream", () => {
    const view = drawView(pixels, size, randomStream(1));
    expect(view).not.toEqual(pixels);
    expect(view.every((value) => value >= 0 && value <= 1)).toBe(true);
    expect(drawView(pixels, size, randomStream(1))).toEqual(view);
  });

  test("of a plain image is plain", () => {
    const view = drawView(
      pixels.map(() => 0.5),
      size,
      randomStream(2),
    );
    expect(new Set(view).size).toBe(1);
  });
});
