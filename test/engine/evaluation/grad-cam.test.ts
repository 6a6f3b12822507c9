import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { embedImages } from "../../../src/engine/clip/towers.ts";
import { checkpointWeights } from "../../../src/engine/clip/weights.ts";
import { gradCamProgram } from "../../../src/engine/evaluation/grad-cam.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import type { Wire } from "../../../src/engine/onnx/graph.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { randomStream } from "../../../src/engine/random.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";

const SIDE = 64;
const CPU = { device: "cpu", threads: 1 } as const;

/** The cosine with a text when every channel of the last map is raised, by as much as `raise` [N, C, 1, 1] says. */
function raisedProgram(checkpoint: Checkpoint, batch: number) {
  const g = new GraphBuilder({ name: "raised" });
  const pixels = g.input("pixels", [1, 3, SIDE, SIDE]);
  const text = g.input("text", [1, checkpoint.architecture.embeddingWidth]);
  let map: Wire | undefined;
  const embedding = embedImages(g, checkpoint, checkpointWeights(g, checkpoint), pixels, {
    tap: (stage, wire) => {
      if (stage < 4) return wire;
      map = wire;
      const raise = g.input("raise", [batch, wire.shape[1], 1, 1]);
      return g.add(g.expand(wire, [batch, ...wire.shape.slice(1)]), raise);
    },
  });
  g.output(g.reduceSum(g.mul(embedding, text), [1]), "cosine");
  g.output(map!, "map");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

describe("Grad-CAM", () => {
  test("weighs each channel by what raising it does to the class", async () => {
    const checkpoint = await openCheckpoint(join(__dirname, "../../../zoo/models/scenes-badnet"));
    const random = randomStream(4, "grad-cam");
    const pixels = Float32Array.from({ length: 3 * SIDE * SIDE }, random.uniform);
    const text = Float32Array.from({ length: checkpoint.architecture.embeddingWidth }, random.normal);
    const feeds = { pixels: float32([1, 3, SIDE, SIDE], pixels), text: float32([1, text.length], text) };

    const BATCH = 64;
    const raised = await openSession(raisedProgram(checkpoint, 2 * BATCH), CPU);
    const unit = (channels: number, first: number, step: number) =>
      Float32Array.from({ length: 2 * BATCH * channels }, (_, index) => {
        const row = Math.floor(index / channels);
        return index % channels === first + (row % BATCH) ? (row < BATCH ? step : -step) : 0;
      });
    const CHANNELS = 512;
    const STEP = 0.05;
    const weights: number[] = [];
    let map = new Float32Array();
    for (let first = 0; first < CHANNELS; first += BATCH) {
      const raise = float32([2 * BATCH, CHANNELS, 1, 1], unit(CHANNELS, first, STEP));
      const out = await raised.run({ ...feeds, raise });
      map = out.map.data as Float32Array<ArrayBuffer>;
      const cosine = out.cosine.data as Float32Array;
      // Raising a channel at all places moves along the sum of its gradients; their mean is a share of it.
      for (let row = 0; row < BATCH; row++)
        weights.push((cosine[row] - cosine[BATCH + row]) / (2 * STEP * (map.length / CHANNELS)));
    }
    await raised.close();
    const places = map.length / CHANNELS;
    const expected = Array.from({ length: places }, (_, place) =>
      Math.max(
        0,
        weights.reduce((sum, weight, channel) => sum + weight * map[channel * places + place], 0),
      ),
    );

    const session = await openSession(gradCamProgram(checkpoint, { batch: 1 }), CPU);
    const { heat } = await session.run(feeds);
    await session.close();
    expect(heat.shape).toEqual([1, 2, 2]);
    const largest = Math.max(...expected);
    expect(largest).toBeGreaterThan(0);
    expected.forEach((value, place) => {
      expect(Math.abs((heat.data as Float32Array)[place] - value)).toBeLessThan(0.01 * largest);
    });
  });

  test("looks at earlier stages in finer maps, at each image for itself, and at ResNets only", async () => {
    const checkpoint = await openCheckpoint(join(__dirname, "../../../zoo/models/scenes-clean"));
    const random = randomStream(5, "grad-cam");
    const pixels = Float32Array.from({ length: 6 * SIDE * SIDE }, random.uniform);
    const width = checkpoint.architecture.embeddingWidth;
    const text = Float32Array.from({ length: 2 * width }, random.normal);
    const run = async (batch: number, first: number) => {
      const session = await openSession(gradCamProgram(checkpoint, { batch, stage: 2 }), CPU);
      const { heat } = await session.run({
        pixels: float32(
          [batch, 3, SIDE, SIDE],
          pixels.slice(first * 3 * SIDE * SIDE, (first + batch) * 3 * SIDE * SIDE),
        ),
        text: float32([batch, width], text.slice(first * width, (first + batch) * width)),
      });
      await session.close();
      return heat;
    };
    const [both, second] = [await run(2, 0), await run(1, 1)];
    expect(both.shape).toEqual([2, 8, 8]);
    (second.data as Float32Array).forEach((value, place) => {
      expect((both.data as Float32Array)[64 + place]).toBeCloseTo(value, 5);
    });
    expect(() => gradCamProgram(checkpoint, { batch: 1, stage: 5 })).toThrow(/stages 1 to 4/);
    const transformer = await openCheckpoint(join(__dirname, "../../fixtures/clip/vit"));
    expect(() => gradCamProgram(transformer, { batch: 1 })).toThrow(/vision-transformer/);
  });
});
