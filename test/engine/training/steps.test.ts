import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { ADAMW } from "../../../src/engine/training/adamw.ts";
import { startFromCheckpoint, type TrainingState, tensorsOf } from "../../../src/engine/training/state.ts";
import { type PairBatch, Trainer } from "../../../src/engine/training/trainer.ts";

interface Golden {
  readonly losses: readonly number[];
  readonly changes: Readonly<Record<string, { readonly norm: number; readonly product: number }>>;
}

const FIXTURES = join(__dirname, "../../fixtures");
const golden: Record<string, Golden> = JSON.parse(
  readFileSync(join(FIXTURES, "training/steps.json"), "utf8"),
);

const PAIRS = 6;
const STEPS = 3;

/** The batch that the golden steps were made with. */
function batch({ architecture: { image, text } }: Checkpoint, step: number): PairBatch {
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

function openTrainer(checkpoint: Checkpoint, normalisation: "batch" | "frozen"): Promise<Trainer> {
  return Trainer.open(checkpoint, {
    batch: PAIRS,
    length: 6,
    normalisation,
    optimiser: { ...ADAMW, epsilon: 1e-2 },
    schedule: { rate: 2e-3, steps: STEPS, warmUp: 2 },
    device: "cpu",
    threads: 1,
  });
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

// Few values in a batch make its statistics, and so all that follows, sensitive: PyTorch's own float32 differs from its
// float64 by up to a tenth in the change of a tensor, and by 4e-3 in the third loss.
describe.each([
  ["resnet", "batch", { loss: 5e-3, change: 0.15, usual: 0.02 }],
  ["resnet", "frozen", { loss: 1e-5, change: 2e-3, usual: 1e-4 }],
  ["vit", "frozen", { loss: 1e-5, change: 2e-3, usual: 1e-4 }],
] as const)("three steps of a %s, normalised by %s statistics", (model, normalisation, tolerance) => {
  const expected = golden[`${model}, ${normalisation}`];

  test("are PyTorch's: losses, and the change of every tensor", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "clip", model));
    const trainer = await openTrainer(checkpoint, normalisation);
    const first = await startFromCheckpoint(checkpoint, trainer.layout);
    let state: TrainingState = first;
    for (let step = 0; step < STEPS; step++) {
      const made = await trainer.step(state, batch(checkpoint, step));
      expect(Math.abs(made.loss - expected.losses[step])).toBeLessThan(tolerance.loss);
      state = made.state;
    }
    await trainer.close();
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
  });
});

describe("a training state", () => {
  test("that was saved and read again goes on to the same bytes", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "clip/resnet"));
    const trainer = await openTrainer(checkpoint, "batch");
    const first = await startFromCheckpoint(checkpoint, trainer.layout);
    const { state } = await trainer.step(first, batch(checkpoint, 0));
    const [direct, again] = [state, decodeState<TrainingState>(encodeState(state))];
    const [left, right] = [
      await trainer.step(direct, batch(checkpoint, 1)),
      await trainer.step(again, batch(checkpoint, 1)),
    ];
    await trainer.close();
    expect(right.state).toEqual(left.state);
    expect(state.step).toBe(1);
    expect(first.matrices.first.every((value) => value === 0)).toBe(true);
  });

  test("of weights that are no numbers is an error that says what to do", async () => {
    const checkpoint = await openCheckpoint(join(FIXTURES, "clip/vit"));
    const trainer = await openTrainer(checkpoint, "frozen");
    const state = await startFromCheckpoint(checkpoint, trainer.layout);
    state.matrices.weights.fill(Number.NaN);
    await expect(trainer.step(state, batch(checkpoint, 0))).rejects.toMatchObject({ code: "DIVERGED" });
    await trainer.close();
  });
});
