import { describe, expect, test } from "@jest/globals";
import { decodeState, encodeState } from "../../../src/engine/cbpt/state.ts";
import { startFromCheckpoint, type TrainingState } from "../../../src/engine/training/state.ts";
import { batch, expectGoldenSteps, openFixture, openTrainer } from "./golden-steps.ts";

// Few values in a batch make its statistics, and so all that follows, sensitive: PyTorch's own float32 differs from its
// float64 by up to a tenth in the change of a tensor, and by 4e-3 in the third loss.
describe.each([
  ["resnet", "batch", { loss: 5e-3, change: 0.15, usual: 0.02 }],
  ["resnet", "frozen", { loss: 1e-5, change: 2e-3, usual: 1e-4 }],
  ["vit", "frozen", { loss: 1e-5, change: 2e-3, usual: 1e-4 }],
] as const)("three steps of a %s, normalised by %s statistics", (model, normalisation, tolerance) => {
  test("are PyTorch's: losses, and the change of every tensor", async () => {
    const checkpoint = await openFixture(model);
    const trainer = await openTrainer(checkpoint, normalisation);
    const name = `${model}, ${normalisation}, clip`;
    await expectGoldenSteps(name, checkpoint, trainer, (step) => batch(checkpoint, step), tolerance);
    await trainer.close();
  });
});

describe("a training state", () => {
  test("that was saved and read again goes on to the same bytes", async () => {
    const checkpoint = await openFixture("resnet");
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
    const checkpoint = await openFixture("vit");
    const trainer = await openTrainer(checkpoint, "frozen");
    const state = await startFromCheckpoint(checkpoint, trainer.layout);
    state.matrices.weights.fill(Number.NaN);
    await expect(trainer.step(state, batch(checkpoint, 0))).rejects.toMatchObject({ code: "DIVERGED" });
    await trainer.close();
  });
});
