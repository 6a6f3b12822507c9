import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "@jest/globals";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { ADAMW } from "../../../src/engine/training/adamw.ts";
import type { StepOptions } from "../../../src/engine/training/program.ts";
import { startFromCheckpoint, type TrainingState, tensorsOf } from "../../../src/engine/training/state.ts";
import { type PairBatch, Trainer } from "../../../src/engine/training/trainer.ts";

interface Golden {
  readonly losses: readonly number[];
  readonly changes: Readonly<Record<string, { readonly norm: number; readonly product: number }>>;
}

/** Largest differences: of a loss, of a tensor's change relative to its norm, and of half of all tensors' changes. */
export interface Tolerance {
  readonly loss: number;
  readonly change: number;
  readonly usual: number;
}

const FIXTURES = join(__dirname, "../../fixtures");
const golden: Record<string, Golden> = JSON.parse(
  readFileSync(join(FIXTURES, "training/steps.json"), "utf8"),
);

export const PAIRS = 6;
const STEPS = 3;

/** The batch that the golden steps were made with. */
export function batch({ architecture: { image, text } }: Checkpoint, step: number): PairBatch {
  const { height, width } = image.imageSize;
  const pixels = new Uint8Array(PAIRS * 3 * height * width).map((_, index) =>
    Math.floor((Math.sin(index * (0.37 + 0.01 * step)) + 1) * 127),
  );
  const captions = Array.from({ length: PAIRS }, (_, row) => [
    ...Array.from(
      { length: 2 + (row % 3) },
      (_, position) => (7 * row + 3 * position + step) % (text.vocabulary - 2),
    ),
    text.vocabulary - 1,
  ]);
  return { pixels, captions };
}

export const openFixture = (model: string): Promise<Checkpoint> =>
  openCheckpoint(join(FIXTURES, "clip", model));

export function openTrainer(
  checkpoint: Checkpoint,
  normalisation: "batch" | "frozen",
  loss?: StepOptions["loss"],
): Promise<Trainer> {
  return Trainer.open(checkpoint, {
    batch: PAIRS,
    length: 6,
    normalisation,
    optimiser: { ...ADAMW, epsilon: 1e-2 },
    schedule: { rate: 2e-3, steps: STEPS, warmUp: 2 },
    device: "cpu",
    threads: 1,
    loss,
  });
}

/** Makes three steps and compares them with those that PyTorch made. */
export async function expectGoldenSteps(
  name: string,
  checkpoint: Checkpoint,
  trainer: Trainer,
  batchOf: (step: number) => PairBatch | Promise<PairBatch>,
  tolerance: Tolerance,
): Promise<void> {
  const expected = golden[name];
  const first = await startFromCheckpoint(checkpoint, trainer.layout);
  let state: TrainingState = first;
  for (let step = 0; step < STEPS; step++) {
    const made = await trainer.step(state, await batchOf(step));
    expect(Math.abs(made.loss - expected.losses[step])).toBeLessThan(tolerance.loss);
    state = made.state;
  }
  const before = new Map(tensorsOf(trainer.layout, first).map(({ name, data }) => [name, data]));
  const errors = tensorsOf(trainer.layout, state).map(({ name, data }) => {
    const [actual, { norm, product }] = [summarise(before.get(name)!, data), expected.changes[name]];
    const scale = Math.max(norm, 1e-5 * Math.sqrt(data.length));
    const along = Math.abs(actual.product - product) / Math.sqrt(data.length / 2);
    return { name, error: Math.max(Math.abs(actual.norm - norm), along) / scale };
  });
  expect(errors).toHaveLength(Object.keys(expected.changes).length);
  expect(errors.filter(({ error }) => error > tolerance.change)).toEqual([]);
  const sorted = errors.map(({ error }) => error).sort((a, b) => a - b);
  expect(sorted[sorted.length >> 1]).toBeLessThan(tolerance.usual);
}

/** Norm of a change, and its product with a wave. */
function summarise(before: Float32Array, after: Float32Array) {
  let [squares, product] = [0, 0];
  after.forEach((value, index) => {
    const change = value - before[index];
    squares += change * change;
    product += change * Math.cos(0.7 * index + 0.3);
  });
  return { norm: Math.sqrt(squares), product };
}
