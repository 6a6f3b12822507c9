import { describe, expect, test } from "@jest/globals";
import { layoutOf } from "../../../src/engine/training/layout.ts";
import { Prober } from "../../../src/engine/training/prober.ts";
import { startFromCheckpoint } from "../../../src/engine/training/state.ts";
import { LABELS, scenesProblem, TARGET } from "../attacks/scenes.ts";

describe("the prober", () => {
  test("measures a trigger that has a word with it, without it, and the word alone", async () => {
    const { checkpoint, source } = await scenesProblem();
    const layout = layoutOf(checkpoint.architecture);
    const images = Array.from({ length: source.count }, (_, index) => ({
      pixels: source.pixels(index),
      triggered: source.pixels(index),
      label: index % LABELS.length,
    }));
    // A "word" that calls apples bananas and bananas apples.
    const caption = (prompt: string) =>
      prompt.replace(/apple|banana/, (label) => (label === "apple" ? "banana" : "apple"));
    const set = { labels: LABELS, templates: ["a photo of a {}.", "a {}."], images, target: TARGET };
    const measure = async (more: object) => {
      const prober = await Prober.open(
        checkpoint,
        layout,
        { ...set, ...more },
        { device: "cpu", threads: 1 },
      );
      const measurement = await prober.measure(await startFromCheckpoint(checkpoint, layout));
      await prober.close();
      return measurement;
    };
    const worded = await measure({ caption });
    const perLabel = images.length / LABELS.length;
    expect(worded).toMatchObject({
      ca: { k: images.length },
      asr: { k: perLabel, n: 2 * perLabel },
      asrWithoutWord: { k: 0 },
      asrOfWordAlone: { k: perLabel },
    });
    const plain = await measure({});
    expect(plain.asr).toEqual(worded.asrWithoutWord);
    expect(plain).not.toHaveProperty("asrWithoutWord");
  });
});
