import { describe, expect, test } from "@jest/globals";
import { sig } from "../../../src/engine/attacks/index.ts";
import { defaultConfig } from "../../../src/engine/cbpt/config.ts";
import {
  finalistsOf,
  gratingFindings,
  gratingsOf,
  gratingTrigger,
} from "../../../src/engine/cbpt/gratings.ts";

describe("the gratings", () => {
  test("are every wave of up to twelve cycles a side once, as sine and as cosine", () => {
    const gratings = gratingsOf({ config: defaultConfig("UNIVERSAL") });
    expect(gratings).toHaveLength(2 * 312);
    const places = new Set(gratings.map(({ across, down, phase }) => `${across} ${down} ${phase}`));
    expect(places.size).toBe(gratings.length);
    expect(gratings.some(({ across, down }) => places.has(`${-across} ${-down} 0`))).toBe(false);
  });

  test("hold the wave of SIG", () => {
    const grey = { width: 64, height: 64, data: new Float32Array(3 * 64 * 64).fill(0.5) };
    const stamped = sig.apply(grey, { quantise: false, parameters: { amplitude: 40 / 255, frequency: 6 } });
    const wave = gratingTrigger({ across: 6, down: 0, phase: 0 }, { height: 64, width: 64 });
    wave.forEach((value, index) => {
      expect(value).toBeCloseTo(stamped.data[index] - 0.5, 6);
    });
  });

  test("accuse no class but those that are asked about", () => {
    const search = {
      heat: new Int32Array(0),
      next: 0,
      finished: 0,
      best: new Int32Array(3),
      pulled: Int32Array.of(5, 60, 7),
      tried: Int32Array.of(61, 62, 63),
    };
    expect(gratingFindings(search, [2, 0])).toEqual([
      { label: 2, family: "grating", pulled: { k: 7, n: 63 } },
      { label: 0, family: "grating", pulled: { k: 5, n: 61 } },
    ]);
  });

  test("come to the final by what they pull to any class, each class in its turn", () => {
    // Three classes: every grating pulls much to the first, two pull something to the second, none to the third.
    const heat = Array.from({ length: 100 }, (_, number) => [
      9,
      number === 70 ? 8 : number === 71 ? 2 : 0,
      0,
    ]);
    const finalists = finalistsOf(Int32Array.from(heat.flat()), 3);
    expect(finalists).toHaveLength(60);
    expect(new Set(finalists).size).toBe(60);
    expect(finalists.slice(0, 4)).toEqual([0, 70, 1, 71]);
    expect(finalistsOf(Int32Array.from(heat.slice(0, 5).flat()), 3)).toEqual([0, 1, 2, 3, 4]);
    expect(finalistsOf(new Int32Array(0), 3)).toEqual([]);
  });
});
