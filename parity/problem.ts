import { completeConfig } from "../src/engine/cbpt/config.ts";
import { prepareProblem } from "../src/engine/cbpt/prepare.ts";
import type { Problem } from "../src/engine/cbpt/problem.ts";
import { Workbench } from "../src/engine/cbpt/workbench.ts";
import type { Checkpoint } from "../src/engine/clip/checkpoint.ts";
import type { Device } from "../src/engine/runtime/device.ts";
import { images } from "./generator.ts";
import { INPUTS } from "./inputs.ts";

/** What a purification of the checkpoint would work on: one generated image of each class. */
export function problemOf(checkpoint: Checkpoint, device: Device): Promise<Problem> {
  const { height, width } = checkpoint.architecture.image.imageSize;
  return prepareProblem({
    checkpoint,
    config: completeConfig("PUBLISHED", {
      contextTokens: INPUTS.contexts.tokens,
      temperature: INPUTS.publishedInversion.temperature,
    }),
    labels: INPUTS.labels,
    templates: INPUTS.templates,
    shots: images(INPUTS.images, height, width).map((pixels, label) => ({ pixels, label })),
    device,
    threads: 1,
  });
}

/** Networks are compiled for `use` and freed after it: all of a model's together would take several gigabytes. */
export async function withBench<Value>(
  problem: Problem,
  use: (bench: Workbench) => Promise<Value>,
): Promise<Value> {
  const bench = new Workbench(problem);
  try {
    return await use(bench);
  } finally {
    await bench.close();
  }
}
