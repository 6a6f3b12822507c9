import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { expectedTensors } from "../../../src/engine/clip/expected-tensors.ts";
import { parseOpenClipArchitecture } from "../../../src/engine/clip/formats/open-clip-config.ts";
import { imageProgram, imagesPerRun } from "../../../src/engine/clip/programs.ts";
import { costOf } from "../../../src/engine/onnx/cost.ts";
import { sizeOf } from "../../../src/engine/onnx/tensor.ts";

/** The model as its graph sees it: weights that lie nowhere. */
function withArchitecture(base: Checkpoint, image: object): Checkpoint {
  const architecture = parseOpenClipArchitecture({
    embed_dim: 1024,
    vision_cfg: image,
    text_cfg: { width: 512, heads: 8, layers: 12 },
  });
  const tensors = expectedTensors(architecture).map(
    ([name, shape]) =>
      [
        name,
        {
          name,
          dtype: "F32",
          shape,
          parts: [{ file: "none", offset: 0, length: 4 * sizeOf(shape), shape }],
        },
      ] as const,
  );
  return { ...base, architecture, tensors: new Map(tensors) };
}

test("as many images go through a tower at once as their values fit into 128 MiB, at most 32", async () => {
  const bundled = await openCheckpoint(join(__dirname, "../../../zoo/models/scenes-clean"));
  expect(imagesPerRun(bundled)).toBe(32);
  const large = withArchitecture(bundled, { image_size: 224, layers: [3, 4, 6, 3], width: 64 });
  const count = imagesPerRun(large);
  const bytes = (batch: number) => costOf(imageProgram(large, { batch }).graph).peakActivationBytes;
  expect(bytes(count)).toBeLessThanOrEqual(2 ** 27);
  expect(bytes(count + 1)).toBeGreaterThan(2 ** 27);
});
