import { describe, expect, test } from "@jest/globals";
import type { Checkpoint } from "../../../src/engine/clip/checkpoint.ts";
import { cleanclipLoss } from "../../../src/engine/defences/cleanclip.ts";
import { parLoss } from "../../../src/engine/defences/par.ts";
import { float32, type Tensor } from "../../../src/engine/onnx/tensor.ts";
import type { Program } from "../../../src/engine/runtime/program.ts";
import { openSession, type Tensors } from "../../../src/engine/runtime/session.ts";
import { imagesProgram, textsProgram } from "../../../src/engine/training/embedding-programs.ts";
import { layoutOf } from "../../../src/engine/training/layout.ts";
import { startFromCheckpoint } from "../../../src/engine/training/state.ts";
import { captionFeeds, type PairBatch } from "../../../src/engine/training/trainer.ts";
import { batch, expectGoldenSteps, openFixture, openTrainer, PAIRS } from "../training/golden-steps.ts";

const TOLERANCE = { loss: 1e-5, change: 2e-3, usual: 1e-4 };

describe("three steps of a defence are PyTorch's", () => {
  test.each(["resnet", "vit"])("CleanCLIP's, of a %s", async (model) => {
    const checkpoint = await openFixture(model);
    const trainer = await openTrainer(checkpoint, "frozen", cleanclipLoss(1));
    const name = `${model}, frozen, cleanclip`;
    await expectGoldenSteps(name, checkpoint, trainer, (step) => batch(checkpoint, step), TOLERANCE);
    await trainer.close();
  });

  test.each([
    ["par", 2.15],
    ["par, low", 3e-3],
  ])("PAR's: %s", async (name, threshold) => {
    const checkpoint = await openFixture("vit");
    const trainer = await openTrainer(checkpoint, "frozen", parLoss({ perturbation: 0.5, threshold }));
    const withSuspect = async (step: number) => {
      const pairs = batch(checkpoint, step);
      return { ...pairs, others: await embeddingsOf(checkpoint, pairs) };
    };
    await expectGoldenSteps(`vit, frozen, ${name}`, checkpoint, trainer, withSuspect, TOLERANCE);
    await trainer.close();
  });
});

/** What the checkpoint itself makes of a batch. */
async function embeddingsOf(checkpoint: Checkpoint, { pixels, captions }: PairBatch): Promise<Tensors> {
  const { architecture } = checkpoint;
  const layout = layoutOf(architecture);
  const { matrices, vectors } = await startFromCheckpoint(checkpoint, layout);
  const weights = {
    "matrices.weights": float32([matrices.weights.length], matrices.weights),
    "vectors.weights": float32([vectors.weights.length], vectors.weights),
  };
  const { height, width } = architecture.image.imageSize;
  const images: Tensor = { type: "uint8", shape: [PAIRS, 3, height, width], data: pixels };
  const texts = captionFeeds(captions, 6, architecture.text.paddingToken);
  return {
    suspectImages: await embed(imagesProgram(checkpoint, layout, PAIRS), { pixels: images, ...weights }),
    suspectTexts: await embed(textsProgram(checkpoint, layout, { batch: PAIRS, length: 6 }), {
      ...texts,
      ...weights,
    }),
  };
}

async function embed(program: Program, feeds: Tensors): Promise<Tensor> {
  const session = await openSession(program, { device: "cpu", threads: 1 });
  const { embedding } = await session.run(feeds);
  await session.close();
  expect(embedding.shape[0]).toBe(PAIRS);
  return embedding;
}
