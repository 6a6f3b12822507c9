import { createHash } from "node:crypto";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { completeConfig } from "../../../src/engine/cbpt/config.ts";
import { startExtension, stepExtension } from "../../../src/engine/cbpt/extension.ts";
import type { FrozenPrompts } from "../../../src/engine/cbpt/extension-tower.ts";
import { prepareProblem } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem } from "../../../src/engine/cbpt/problem.ts";
import { initialContexts } from "../../../src/engine/cbpt/prompts.ts";
import { isPurified, type Purification } from "../../../src/engine/cbpt/purification.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { type TuningBatch, Workbench } from "../../../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { relativeError } from "../clip/fixtures.ts";

/** Random weights: nothing is learned here, but every step runs. The last label is the new one. */
const LABELS = ["cat", "dog", "the cat", "a"];
const NEW = LABELS.length - 1;
const SMALL = {
  innerSteps: 2,
  innerBatch: 2,
  epochs: 2,
  batchSize: 8,
  initialDeviation: 0.5,
  gratingCycles: 0,
  recovery: 0,
};

let problem: Problem;
/** All contexts as tuning them all would begin; the frozen ones are the first of them. */
let contexts: Float32Array;
let frozen: FrozenPrompts;
let whole: Workbench;
let extending: Workbench;
beforeAll(async () => {
  const random = randomStream(5);
  problem = await prepareProblem({
    checkpoint: await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet")),
    // Decay would move contexts that have no gradient.
    config: completeConfig("UNIVERSAL", { ...SMALL, weightDecay: 0.1 }),
    labels: LABELS,
    templates: ["a {}"],
    shots: [...LABELS, ...LABELS].map((_, index) => ({
      label: index % LABELS.length,
      pixels: Float32Array.from({ length: 3 * 64 * 64 }, random.uniform),
    })),
    device: "cpu",
    threads: 1,
  });
  whole = new Workbench(problem);
  contexts = initialContexts(problem.layout, problem.config);
  const features = await whole.textFeatures(contexts);
  frozen = {
    contexts: contexts.slice(0, (contexts.length / LABELS.length) * NEW),
    features: features.slice(0, problem.width * NEW),
  };
  extending = new Workbench(problem, { frozen });
});
afterAll(() => Promise.all([whole.close(), extending.close()]));

/** Rows that show each class, every one pulled to the class of the suspects. */
function batchOf(suspects: readonly number[]): TuningBatch {
  const { features, width, matrix } = problem;
  const labels = LABELS.map((_, label) => label);
  const rows = features.slice(0, labels.length * width);
  return {
    clean: rows,
    dummy: matrix.slice(),
    labels,
    targets: Float32Array.from({ length: labels.length ** 2 }, (_, index) => (index % 5 === 0 ? 1 : 0)),
    emphasis: labels.map(() => 1),
    anchors: labels.map(() => 3),
    suspects,
    margin: 0,
    weights: [0.4, 0.3, 1, 0.2, 1],
  };
}

/** The part of a gradient [C, L, d] that belongs to a class. */
function partOf(gradient: Float32Array, label: number): Float32Array {
  const size = gradient.length / LABELS.length;
  return gradient.slice(label * size, (label + 1) * size);
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Every state from one on, as the bytes that would be saved. */
async function follow(from: Uint8Array): Promise<Uint8Array[]> {
  let state = decodeState<Purification>(from);
  const states = [encodeState(state)];
  while (!isPurified(problem, state)) {
    state = await stepExtension(extending, state, frozen);
    states.push(encodeState(state));
  }
  return states;
}

describe("the text tower of one class beside frozen ones", () => {
  test("gives the frozen features bit for bit, and the new one as the whole tower does", async () => {
    const [one, all] = await Promise.all([extending, whole].map((bench) => bench.textFeatures(contexts)));
    expect(one.slice(0, frozen.features.length)).toEqual(frozen.features);
    expect(relativeError(one, all)).toBeLessThan(1e-5);
  });

  test("gives the losses and the new class's gradient that the whole tower gives", async () => {
    // Row 3 shows the new class, row 0 is pulled to it.
    const batch = batchOf([NEW, -1, -1, 1]);
    const [one, all] = await Promise.all([extending, whole].map((bench) => bench.tune(contexts, batch)));
    expect(relativeError(Float32Array.from(one.losses), Float32Array.from(all.losses))).toBeLessThan(1e-5);
    expect(relativeError(partOf(one.gradient, NEW), partOf(all.gradient, NEW))).toBeLessThan(1e-4);
    for (let label = 0; label < NEW; label++) {
      expect(partOf(one.gradient, label).every((value) => value === 0)).toBe(true);
      expect(partOf(all.gradient, label).some((value) => value !== 0)).toBe(true);
    }
  });

  test("unlearns nothing between frozen classes, which would only draw triggers to the new one", async () => {
    const between = await extending.tune(contexts, batchOf([1, 0, 0, -1]));
    const none = await extending.tune(contexts, batchOf([-1, -1, -1, -1]));
    expect(between.losses).toEqual(none.losses);
    expect(between.gradient).toEqual(none.gradient);
  });
});

describe("an extension", () => {
  test("searches, changes the new class alone, and goes on from any state as if it had never stopped", async () => {
    const states = await follow(encodeState(startExtension(problem, frozen)));
    const tuned = states
      .map((bytes) => decodeState<Purification>(bytes))
      .filter(({ phase }) => phase === "tune");
    const all = tuned.map((state) => (state as Purification & { phase: "tune" }).tuning.contexts);
    expect(states.length).toBeGreaterThan(all.length);
    for (const each of all) expect(each.slice(0, frozen.contexts.length)).toEqual(frozen.contexts);
    const last = all.map((each) => digest(new Uint8Array(each.slice(frozen.contexts.length).buffer)));
    expect(new Set(last).size).toBe(all.length);
    for (const stopped of [1, states.length - 3, states.length - 2]) {
      const resumed = await follow(states[stopped]);
      expect(resumed.map(digest)).toEqual(states.slice(stopped).map(digest));
    }
  });
});
