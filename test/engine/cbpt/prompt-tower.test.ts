import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { completeConfig } from "../../../src/engine/cbpt/config.ts";
import { promptGradientProgram } from "../../../src/engine/cbpt/objective.ts";
import { prepareProblem } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem } from "../../../src/engine/cbpt/problem.ts";
import { PromptTower } from "../../../src/engine/cbpt/prompt-tower.ts";
import { initialContexts } from "../../../src/engine/cbpt/prompts.ts";
import { type TuningBatch, Workbench } from "../../../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { costOf } from "../../../src/engine/onnx/cost.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { relativeError } from "../clip/fixtures.ts";

/** Nine, so that the last of several chunks overlaps the one before it. */
const LABELS = ["cat", "dog", "a", "the", "cat dog", "dog cat", "a cat", "a dog", "the cat"];
const ROWS = 12;

let problem: Problem;
beforeAll(async () => {
  const random = randomStream(5);
  problem = await prepareProblem({
    checkpoint: await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet")),
    config: completeConfig("UNIVERSAL", { initialDeviation: 0.5 }),
    labels: LABELS,
    templates: ["a {}"],
    shots: LABELS.map((_, label) => ({
      label,
      pixels: Float32Array.from({ length: 3 * 64 * 64 }, random.uniform),
    })),
    device: "cpu",
    threads: 2,
  });
});

const opened: Workbench[] = [];
afterAll(() => Promise.all(opened.map((bench) => bench.close())));

/** A bound that lets so many classes into each of four runs. */
function boundFor(classes: number): number {
  const { graph } = promptGradientProgram(problem.checkpoint, { classes: 1, length: problem.layout.length });
  return 4 * classes * costOf(graph).peakActivationBytes;
}

function benchWith(bytes?: number): Workbench {
  const bench = new Workbench(problem, { promptBytes: bytes });
  opened.push(bench);
  return bench;
}

function batch(): TuningBatch {
  const random = randomStream(3);
  const { width } = problem;
  const rows = (count: number) => Float32Array.from({ length: count * width }, () => random.normal() / 8);
  const labels = Array.from({ length: ROWS }, (_, index) => index % LABELS.length);
  return {
    clean: rows(ROWS),
    dummy: rows(ROWS),
    labels,
    targets: Float32Array.from({ length: ROWS * LABELS.length }, () => random.uniform() / LABELS.length),
    emphasis: labels.map(() => 1),
    anchors: LABELS.map((_, label) => label / 2),
    suspects: labels.map((label) => (label === 1 ? -1 : 1)),
    margin: 0,
    weights: [1, 0.5, 1, 0.25, 2],
  };
}

describe("prompts that do not fit into one run", () => {
  test("are cut to what the bound allows, one class at least; prompts that fit are not cut", () => {
    const size = (bytes?: number) =>
      new PromptTower(problem, () => Promise.reject(new Error("not to be run")), bytes).classesPerRun();
    expect(size()).toBe(9);
    expect(size(boundFor(2.25))).toBe(9);
    expect(size(boundFor(2))).toBe(2);
    expect(size(boundFor(1))).toBe(1);
    expect(size(1)).toBe(1);
  });

  test.each([2, 1])("give the same features, losses and gradient in chunks of %i", async (classes) => {
    const contexts = initialContexts(problem.layout, problem.config);
    const whole = benchWith();
    const cut = benchWith(boundFor(classes));
    const features = await whole.textFeatures(contexts);
    expect(relativeError(await cut.textFeatures(contexts), features)).toBeLessThan(1e-6);
    const [expected, found] = [await whole.tune(contexts, batch()), await cut.tune(contexts, batch())];
    expect(expected.losses.every((loss) => Math.abs(loss) > 1e-3)).toBe(true);
    expect(relativeError(found.losses, expected.losses)).toBeLessThan(1e-6);
    expect(relativeError(found.gradient, expected.gradient)).toBeLessThan(1e-6);
  });
});
