import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { layoutOf } from "../../../src/engine/training/layout.ts";
import { contrastiveLoss } from "../../../src/engine/training/loss.ts";
import { epochBatch } from "../../../src/engine/training/pairs.ts";
import { randomWeights } from "../../../src/engine/training/random-weights.ts";
import { rateAt } from "../../../src/engine/training/schedule.ts";
import { interpret } from "../reference/interpreter.ts";

const ZOO = join(__dirname, "../../../zoo/models/scenes-clean");

describe("the learning rate", () => {
  test("rises in equal parts, then falls along a cosine to nearly nothing", () => {
    const schedule = { rate: 2, steps: 100, warmUp: 4 };
    expect([0, 1].map((step) => rateAt(schedule, step))).toEqual([0.5, 1]);
    expect(rateAt(schedule, 50)).toBeCloseTo(1, 12);
    expect(rateAt(schedule, 99)).toBeCloseTo(1 + Math.cos(0.99 * Math.PI), 12);
    const rates = Array.from({ length: 100 }, (_, step) => rateAt(schedule, step));
    expect(rates.slice(4).every((rate, index) => rate < rates[index + 3])).toBe(true);
  });
});

describe("the contrastive loss", () => {
  test("is the mean of both cross-entropies", () => {
    const g = new GraphBuilder({ float: "float64" });
    const images = g.constant({ type: "float64", shape: [2, 2], data: Float64Array.of(1, 0, 0.6, 0.8) });
    const texts = g.constant({ type: "float64", shape: [2, 2], data: Float64Array.of(0.8, 0.6, 0, 1) });
    g.output(contrastiveLoss(g, images, texts, g.constant(5)), "loss");
    const logits = [
      [4, 0],
      [5 * (0.48 + 0.48), 4],
    ];
    const crossEntropy = (row: number[], own: number) =>
      Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[own];
    const columns = [0, 1].map((column) => logits.map((row) => row[column]));
    const terms = [logits, columns].map((rows) => (crossEntropy(rows[0], 0) + crossEntropy(rows[1], 1)) / 2);
    expect(interpret(g.build(), {})[0].data[0]).toBeCloseTo((terms[0] + terms[1]) / 2, 6);
  });

  test("of equal embeddings is the logarithm of the batch", () => {
    const g = new GraphBuilder();
    const same = g.constant(float32([5, 1], [1, 1, 1, 1, 1]));
    g.output(contrastiveLoss(g, same, same, g.constant(30)), "loss");
    expect(interpret(g.build(), {})[0].data[0]).toBeCloseTo(Math.log(5), 6);
  });
});

describe("the batches of an epoch", () => {
  test("show every image once, in another order each epoch", () => {
    const epoch = (number: number) => [0, 1, 2].flatMap((place) => epochBatch(12, 4, 7, 3 * number + place));
    const sorted = (list: number[]) => [...list].sort((a, b) => a - b);
    expect(sorted(epoch(0))).toEqual(Array.from({ length: 12 }, (_, index) => index));
    expect(sorted(epoch(1))).toEqual(sorted(epoch(0)));
    expect(epoch(1)).not.toEqual(epoch(0));
    expect(epochBatch(12, 4, 7, 4)).toEqual(epochBatch(12, 4, 7, 4));
  });
});

describe("random weights", () => {
  test("have open_clip's deviations, and the same bytes for the same seed", async () => {
    const { architecture } = await openCheckpoint(ZOO);
    const layout = layoutOf(architecture);
    const places = [...layout.matrices.places, ...layout.vectors.places, ...layout.statistics.places];
    const values = (seed: number, name: string) =>
      randomWeights(architecture, seed)(places.find((place) => place.name === name)!);
    const deviation = (name: string) => {
      const list = values(1, name);
      return Math.sqrt(list.reduce((sum, value) => sum + value * value, 0) / list.length);
    };
    const expected: [string, number][] = [
      ["token_embedding.weight", 0.02],
      ["positional_embedding", 0.01],
      ["text_projection", 128 ** -0.5],
      ["transformer.resblocks.1.attn.in_proj_weight", 128 ** -0.5],
      ["transformer.resblocks.1.mlp.c_proj.weight", (2 * 3 * 128) ** -0.5],
      ["transformer.resblocks.1.mlp.c_fc.weight", 256 ** -0.5],
      ["visual.attnpool.q_proj.weight", 512 ** -0.5],
      ["visual.attnpool.positional_embedding", 512 ** -0.5],
      // Uniform up to 1/√72 on either side.
      ["visual.conv2.weight", (3 * 72) ** -0.5],
    ];
    for (const [name, wanted] of expected) {
      expect(deviation(name) / wanted).toBeGreaterThan(0.9);
      expect(deviation(name) / wanted).toBeLessThan(1.1);
    }
    for (const [name, wanted] of Object.entries({
      "visual.bn1.weight": 1,
      "visual.layer2.0.downsample.1.weight": 1,
      "visual.layer2.0.bn3.weight": 0,
      "visual.layer2.0.bn3.running_var": 1,
      "visual.layer2.0.bn3.running_mean": 0,
      "ln_final.weight": 1,
      logit_scale: Math.fround(Math.log(1 / 0.07)),
    }))
      expect([name, ...new Set(values(1, name))]).toEqual([name, wanted]);
    expect(values(1, "visual.conv1.weight")).toEqual(values(1, "visual.conv1.weight"));
    expect(values(2, "visual.conv1.weight")).not.toEqual(values(1, "visual.conv1.weight"));
  });
});
