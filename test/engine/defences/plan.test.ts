import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import type { Shot } from "../../../src/engine/cbpt/problem.ts";
import { encodeState } from "../../../src/engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import {
  type DefenceName,
  type DefenceTask,
  openDefence,
  type PlannedRun,
  planDefence,
} from "../../../src/engine/defences/index.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { Trainer } from "../../../src/engine/training/trainer.ts";

const LABELS = ["cat", "dog", "a"];
const TEMPLATES = ["a {}", "the {}"];
/** Of the model here, a small vision transformer of random weights. */
const SIZE = { height: 28, width: 40 };
const PIXELS = 3 * SIZE.height * SIZE.width;

const random = randomStream(5);
const SHOTS: readonly Shot[] = Array.from({ length: 7 }, (_, index) => ({
  label: index % LABELS.length,
  pixels: Float32Array.from({ length: PIXELS }, () => Math.round(255 * random.uniform()) / 255),
}));

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../fixtures/clip/vit"));
});
afterEach(() => void jest.restoreAllMocks());

const task = (): DefenceTask => ({
  checkpoint,
  labels: LABELS,
  templates: TEMPLATES,
  shots: SHOTS,
  seed: 1,
  device: "cpu",
  threads: 1,
});

const planOf = (name: string, parameters: object): Promise<PlannedRun> =>
  planDefence(name, { ...task(), shots: { length: SHOTS.length }, parameters });

/** How many steps each phase of a run had, and the bytes of its largest state. */
async function performed(name: string, parameters: object) {
  const run = await openDefence(name, { ...task(), parameters });
  try {
    const steps = new Map<string, number>();
    let saved = 0;
    for (let state = await run.init(); !run.isDone(state); ) {
      state = await run.step(state);
      const { phase } = run.progress(state);
      steps.set(phase, (steps.get(phase) ?? 0) + 1);
      saved = Math.max(saved, encodeState(state).length);
    }
    return { steps, saved };
  } finally {
    await run.close();
  }
}

const TUNED = { epochs: 3, batchSize: 2 };
const PROMPTS: readonly [DefenceName, object][] = [
  ["coop", { ...TUNED, context: "SHARED" }],
  ["coop", { ...TUNED, context: "CLASS_WISE" }],
  ["cbpt-published", { ...TUNED, warmupEpochs: 1, innerSteps: 1 }],
];
const WEIGHTS: readonly [DefenceName, object, { rows: number }][] = [
  ["ft", TUNED, { rows: 2 }],
  ["ft", { epochs: 2, batchSize: 64 }, { rows: 7 }],
  // An altered copy of each pair goes with it.
  ["cleanclip", TUNED, { rows: 4 }],
  ["par", TUNED, { rows: 2 }],
];

describe.each(PROMPTS)("the plan of %s with %p", (name, parameters) => {
  test("foretells its steps and the size of what it saves", async () => {
    const { plan } = await planOf(name, parameters);
    const { steps, saved } = await performed(name, parameters);
    expect(plan.phases.map((phase) => phase.name)).toEqual(["prepare", "tune"]);
    // What is tuned with the clean shots alone at first is told as a phase of its own.
    expect([...steps.values()].reduce((sum, count) => sum + count, 0)).toBe(plan.phases[1].steps);
    expectNear(saved, plan.bytes.saved);
    expect(plan.phases[0].images).toBe(SHOTS.length);
    // Triggers are inverted after the warm-up, for the two rows of each of three batches, and looked at once more.
    expect(plan.phases[1].images).toBe(name === "coop" ? 0 : 2 * 3 * 2 * (1 + 1));
  });
});

describe.each(WEIGHTS)("the plan of %s with %p", (name, parameters, { rows }) => {
  test("foretells its steps, the images of each, and the size of what it saves", async () => {
    const { plan } = await planOf(name, parameters);
    const step = jest.spyOn(Trainer.prototype, "step");
    const { steps, saved } = await performed(name, parameters);
    const [prepare, training] = plan.phases;
    expect(Object.fromEntries(steps)).toEqual({ "fine-tune": training.steps });
    const seen = step.mock.calls.map(([, { pixels }]) => pixels.length / PIXELS);
    expect(new Set(seen)).toEqual(new Set([rows]));
    expect(training.images).toBe(rows * seen.length);
    expectNear(saved, plan.bytes.saved);
    // Only what drives the model away from itself asks what it was like.
    expect(prepare.images).toBe(name === "par" ? SHOTS.length : 0);
    expect(prepare.flops.text > 0).toBe(name === "par");
  });
});

/** A saved state has some names and numbers beside its arrays. */
function expectNear(bytes: number, planned: number): void {
  expect(bytes).toBeGreaterThan(planned);
  expect(bytes).toBeLessThan(planned + 2000);
}

test("a plan of fine-tuning counts the operations of a step by its rows", async () => {
  const flopsOf = async (batchSize: number) => {
    const { plan } = await planOf("ft", { epochs: 1, batchSize });
    const { steps, flops } = plan.phases[1];
    return flops.gradient / steps;
  };
  const [one, two, three] = [await flopsOf(2), await flopsOf(4), await flopsOf(6)];
  expect(two).toBeGreaterThan(one);
  // What does not depend on the rows, the optimiser's work, is counted once.
  expect((three - two) / (two - one)).toBeCloseTo(1, 1);
});

test.each<[DefenceName, object]>([
  ["coop", TUNED],
  ["cbpt-universal", { ...TUNED, innerSteps: 1, innerBatch: 1, gratingCycles: 0 }],
  ["ft", TUNED],
  ["cleanclip", TUNED],
  ["par", TUNED],
])(
  "the speed of %s is measured with its own programs, and a state is saved meanwhile",
  async (name, parameters) => {
    const { plan, calibrate } = await planOf(name, parameters);
    const saves: number[] = [];
    const { rates, epochSeconds } = await calibrate(
      SHOTS.slice(0, 3),
      async (state) => void saves.push(state.length),
    );
    for (const rate of Object.values(rates)) expect(rate).toBeGreaterThan(1e6);
    expect(epochSeconds).toBeGreaterThan(0);
    expect(saves).toHaveLength(1);
    if (plan.phases.some((phase) => phase.name === "fine-tune")) expectNear(saves[0], plan.bytes.saved);
  },
);

test("the absence of a defence has no plan, and what cannot be set cannot be planned", async () => {
  await expect(planOf("none", {})).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
  await expect(planOf("ft", { epochs: 0 })).rejects.toMatchObject({ code: "VALIDATION_FAILED" });
});
