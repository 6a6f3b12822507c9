import { createHash } from "node:crypto";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { completeConfig, type Mode } from "../../../src/engine/cbpt/config.ts";
import { prepareProblem } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem, Shot } from "../../../src/engine/cbpt/problem.ts";
import { progressOf } from "../../../src/engine/cbpt/progress.ts";
import {
  isPurified,
  type Purification,
  startPurification,
  stepPurification,
} from "../../../src/engine/cbpt/purification.ts";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { Workbench } from "../../../src/engine/cbpt/workbench.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { suspected } from "./suspected.ts";

/** Random weights: nothing is learned here, but every step runs. */
const MODEL = join(__dirname, "../../fixtures/clip/resnet");
const LABELS = ["cat", "dog", "a"];
const SMALL = {
  innerSteps: 2,
  innerBatch: 2,
  epochs: 3,
  warmupEpochs: 1,
  batchSize: 4,
  views: 2,
  stepSize: 0.1,
  gratingCycles: 2,
};

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(MODEL);
});

function shots(): Shot[] {
  const random = randomStream(5);
  return LABELS.flatMap((_, label) =>
    Array.from({ length: 3 }, () => ({
      label,
      pixels: Float32Array.from({ length: 3 * 64 * 64 }, random.uniform),
    })),
  );
}

const problemOf = (mode: Mode, given: object = {}, threads = 1): Promise<Problem> =>
  prepareProblem({
    checkpoint,
    config: completeConfig(mode, { ...SMALL, ...given }),
    labels: LABELS,
    templates: ["a {}", "the {}"],
    shots: shots(),
    device: "cpu",
    threads,
  });

/** Every state of a run from the given one on, as the bytes that would be saved. */
async function follow(problem: Problem, from?: Uint8Array): Promise<Uint8Array[]> {
  const bench = new Workbench(problem);
  let state = from ? decodeState<Purification>(from) : startPurification(problem);
  const states = [encodeState(state)];
  try {
    while (!isPurified(problem, state)) {
      state = await stepPurification(bench, state);
      states.push(encodeState(state));
    }
    return states;
  } finally {
    await bench.close();
  }
}

/** Jest compares long arrays slowly; digests do as well. */
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describe.each(["UNIVERSAL", "PUBLISHED"] as const)("a purification in mode %s", (mode) => {
  test("gives the same bytes for the same seed, others for another", async () => {
    const [first, second] = [await problemOf(mode), await problemOf(mode)];
    const end = (states: Uint8Array[]) => digest(states[states.length - 1]);
    const result = end(await follow(first));
    expect(end(await follow(second))).toEqual(result);
    const other = await problemOf(mode, { seed: 2 });
    expect(end(await follow(other))).not.toEqual(result);
  });

  test("goes on from any of its states as if it had never stopped", async () => {
    const problem = await problemOf(mode);
    const states = await follow(problem, mode === "UNIVERSAL" ? encodeState(suspected()) : undefined);
    // In the middle of the first phase, in the middle of an epoch, and at the end of every epoch.
    for (const stopped of [1, states.length - 10, states.length - 9, states.length - 5, states.length - 2]) {
      const resumed = await follow(problem, states[stopped]);
      expect(resumed.map(digest)).toEqual(states.slice(stopped).map(digest));
    }
  });

  test("tells a progress that never falls and ends at 1", async () => {
    const problem = await problemOf(mode);
    const states = (await follow(problem)).map((bytes) => decodeState<Purification>(bytes));
    const fractions = states.map((state) => progressOf(problem, state).fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBeCloseTo(1, 10);
  });

  test("ends with DIVERGED where a loss is no number", async () => {
    const problem = await problemOf(mode, { learningRate: 1 });
    const matrix = problem.matrix.map(() => Number.NaN);
    const features = problem.features.map(() => Number.NaN);
    const broken = { ...problem, matrix, features, config: { ...problem.config, views: 1 } };
    const tuning = { ...broken, config: { ...broken.config, mode: "PUBLISHED" as const } };
    await expect(follow(tuning)).rejects.toMatchObject({ code: "DIVERGED" });
  });
});

describe("recovery prompts", () => {
  const follows = async (given: object, from: Purification) => {
    const problem = await problemOf("UNIVERSAL", given);
    const states = await follow(problem, encodeState(from));
    return decodeState<Purification & { phase: "tune" }>(states[states.length - 1]);
  };

  test("are learned after the purified ones, which are the same without them", async () => {
    const [both, one] = [await follows({}, suspected()), await follows({ recovery: 0 }, suspected())];
    expect(one.recovery).toBeUndefined();
    expect(both.tuning).toEqual(one.tuning);
    expect(both.recovery!.epoch).toBe(SMALL.epochs);
    expect(both.recovery!.contexts).not.toEqual(both.tuning.contexts);
  });

  test("are not learned where nothing is suspected", async () => {
    const { audit } = suspected();
    const done = { stage: "done", round: 0, findings: [], suspects: [] } as const;
    const state = await follows({}, { phase: "audit", audit: { ...audit, ...done } as never });
    expect(state.tuning.epoch).toBe(SMALL.epochs);
    expect(state.recovery).toBeUndefined();
  });
});

describe("a problem", () => {
  test("needs two labels, each once and each with a shot", async () => {
    const problem = { checkpoint, config: completeConfig("UNIVERSAL", SMALL), templates: ["a {}"] };
    const prepare = (labels: string[]) =>
      prepareProblem({ ...problem, labels, shots: shots(), device: "cpu", threads: 1 });
    await expect(prepare(["cat"])).rejects.toThrow("At least two labels");
    await expect(prepare(["cat", "cat", "a"])).rejects.toThrow('"cat" occurs twice');
    await expect(prepare([...LABELS, "dog cat"])).rejects.toThrow("there is none of dog cat");
  });
});
