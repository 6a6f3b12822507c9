import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { completeConfig } from "../../../src/engine/cbpt/config.ts";
import { gatherRows } from "../../../src/engine/cbpt/features.ts";
import { prepareProblem } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem } from "../../../src/engine/cbpt/problem.ts";
import { assembleTokens, contextGradient } from "../../../src/engine/cbpt/prompts.ts";
import {
  startWordSearch,
  stepWordSearch,
  type WordSearch,
  wordFindingOf,
} from "../../../src/engine/cbpt/word-search.ts";
import { Workbench } from "../../../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { randomStream } from "../../../src/engine/random.ts";

const IMAGE = 3 * 64 * 64;
const RADIUS = 2;

let problem: Problem;
let bench: Workbench;
beforeAll(async () => {
  const random = randomStream(11);
  const labels = ["cat", "dog", "a"];
  problem = await prepareProblem({
    checkpoint: await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet")),
    config: completeConfig("UNIVERSAL", {}),
    labels,
    templates: ["a {}."],
    shots: Array.from({ length: 9 }, (_, index) => ({
      label: index % labels.length,
      pixels: Float32Array.from({ length: IMAGE }, random.uniform),
    })),
    device: "cpu",
    threads: 1,
  });
  bench = new Workbench(problem);
});
afterAll(() => bench.close());

describe("a search with a word", () => {
  test("follows the gradient of the loss by the word, as differences say", async () => {
    const layout = problem.wordLayout!;
    const random = randomStream(12);
    const word = Float32Array.from({ length: layout.width }, () => 0.3 * random.normal());
    const direction = Float32Array.from({ length: layout.width }, () => random.normal());
    const pixels = Float32Array.from({ length: 2 * IMAGE }, random.uniform);
    const clean = { features: gatherRows(problem.features, problem.width, [0, 1, 4]), labels: [0, 1, 1] };
    const at = async (length: number) => {
      const tokens = assembleTokens(
        layout,
        word.map((value, index) => value + length * direction[index]),
      );
      const text = await bench.phrases!.features(tokens);
      return { tokens, ...(await bench.pullWithText(pixels.slice(), 2, text, clean)) };
    };
    const { tokens, byText } = await at(0);
    const gradient = contextGradient(layout, await bench.phrases!.pullBack(tokens, byText));
    const given = gradient.reduce((sum, value, index) => sum + value * direction[index], 0);
    const length = 1e-2;
    const expected = ((await at(length)).loss - (await at(-length)).loss) / (2 * length);
    expect(Math.abs(expected)).toBeGreaterThan(1e-3);
    expect(Math.abs(given - expected)).toBeLessThan(0.02 * Math.abs(expected) + 1e-3);
  });

  test("lowers its loss, within the ball, with a word that is no longer than half a token", async () => {
    const first = await stepWordSearch(bench, 1, startWordSearch(problem), RADIUS);
    let search: WordSearch = first;
    while (search.step < 15) search = await stepWordSearch(bench, 1, search, RADIUS);
    expect(search.loss).toBeLessThan(first.loss);
    const finding = await wordFindingOf(bench, 1, search);
    expect(finding).toMatchObject({ label: 1, family: "word", pulled: { n: 6 } });
    const length = (values: Float32Array) => Math.hypot(...values);
    expect(length(search.trigger)).toBeLessThanOrEqual(RADIUS * 1.0001);
    expect(length(search.word)).toBeGreaterThan(0);
    const { base, width } = problem.wordLayout!;
    const tokens = Array.from({ length: base.length / width }, (_, at) =>
      length(base.subarray(at * width, (at + 1) * width)),
    ).filter((one) => one > 0);
    const mean = tokens.reduce((sum, one) => sum + one, 0) / tokens.length;
    expect(length(search.word)).toBeLessThanOrEqual(0.5001 * mean);
  });
});
