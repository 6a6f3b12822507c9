import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { checkModel } from "../../parity/check.ts";
import { passed, rowsOf } from "../../parity/compare.ts";
import { gradientError } from "../../parity/consistency.ts";
import { makeModel } from "../../parity/make-model.ts";
import { readModel, TINY_MODELS, wholeOf } from "../../parity/model.ts";
import type { Objective } from "../../parity/objectives.ts";
import { answersOf } from "../../parity/quantities.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

describe("the engine on generated weights", () => {
  test.each(TINY_MODELS)("computes what the library does: %s", async (name) => {
    const rows = await checkModel(await readModel(name), {
      cache: temporaryFolder(),
      keep: false,
      device: "cpu",
    });
    expect(rows).toHaveLength(13);
    expect(rows.filter((row) => !passed(row))).toEqual([]);
  });
});

test("a network with another activation, and losses that are given other features, are beyond the limits", async () => {
  const model = await readModel("tiny-vit");
  const folder = temporaryFolder();
  await makeModel(model, folder);
  const path = join(folder, "open_clip_config.json");
  const config = JSON.parse(await readFile(path, "utf8"));
  config.model_cfg.quick_gelu = true;
  await writeFile(path, JSON.stringify(config));
  const checkpoint = await openCheckpoint(folder);
  const [features, matrix] = [wholeOf(model, "imageEmbeddings").toReversed(), wholeOf(model, "zeroShot")];
  const answers = await answersOf(checkpoint, { features, matrix, device: "cpu" });
  const rows = rowsOf(model, checkpoint, answers);
  const wrong = rows.filter((row) => !passed(row)).map(({ quantity }) => quantity);
  expect(rows.map(({ quantity }) => quantity).filter((quantity) => !wrong.includes(quantity))).toEqual([
    "text embeddings, cut against whole context",
  ]);
});

describe("a generated model", () => {
  test("is made again only where its weights are not the right ones", async () => {
    const model = await readModel("tiny-vit");
    const folder = join(temporaryFolder(), "model");
    await makeModel(model, folder);
    const path = join(folder, "open_clip_model.safetensors");
    const right = await readFile(path);
    await writeFile(path, Buffer.concat([right.subarray(0, -1), Buffer.of(right.at(-1)! ^ 1)]));
    await makeModel(model, folder);
    expect((await readFile(path)).equals(right)).toBe(true);
  });

  test("is refused where its weights are not those of the golden values", async () => {
    const model = await readModel("tiny-vit");
    const [[file, { tensors }]] = Object.entries(model.weights);
    const other = { ...model, weights: { [file]: { sha256: "0".repeat(64), tensors } } };
    await expect(makeModel(other, temporaryFolder())).rejects.toThrow(/not what the golden values/);
  });
});

describe("a gradient without a library to ask", () => {
  const start = Float32Array.from({ length: 400 }, (_, index) => Math.sin(index));
  /** Σ x⁴/4, with the gradient x³ or a wrong one. */
  const quartic = (gradient: (x: number, index: number) => number): Objective => ({
    start,
    at: async (place) => ({
      losses: Float32Array.of(),
      total: place.reduce((sum, x) => sum + x ** 4 / 4, 0),
      gradient: place.map(gradient),
    }),
  });
  const precision = { changes: [1 / 16, 1 / 64], limit: 0.02, uphill: false };

  test("is found right where it is the slope", async () => {
    expect(
      await gradientError(
        quartic((x) => x ** 3),
        precision,
      ),
    ).toBeLessThan(0.01);
  });

  test.each([
    ["too large", (x: number) => 1.2 * x ** 3],
    ["missing in part", (x: number, index: number) => (index % 4 === 0 ? 0 : x ** 3)],
    ["turned aside", (x: number, index: number) => x ** 3 + (index % 2 === 0 ? 0.2 : -0.2)],
  ])("is found wrong where it is %s", async (_, gradient) => {
    expect(await gradientError(quartic(gradient), precision)).toBeGreaterThan(0.1);
  });

  test("uphill, is found right where the loss is nearly flat, and wrong where it is too large", async () => {
    const flat = (scale: number): Objective => {
      const steep = quartic((x) => 1e-5 * scale * x ** 3);
      const at = async (place: Float32Array) => {
        const step = await steep.at(place);
        return { ...step, total: 1e-5 * step.total };
      };
      return { ...steep, at };
    };
    expect(await gradientError(flat(1), { ...precision, uphill: true })).toBeLessThan(0.01);
    expect(await gradientError(flat(1.2), { ...precision, uphill: true })).toBeGreaterThan(0.1);
  });
});
