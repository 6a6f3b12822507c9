import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { OVERRIDES_FILE, parseOverrides } from "../../../src/engine/clip/overrides.ts";
import { imageProgram } from "../../../src/engine/clip/programs.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";
import { openSession } from "../../../src/engine/runtime/session.ts";
import { FIXTURES, relativeError, withCopy } from "./fixtures.ts";

const VIT = join(FIXTURES, "vit");

describe("overrides", () => {
  test("win over the folder's configuration", async () => {
    const { preprocessing, architecture } = await openCheckpoint(VIT, {
      preprocessing: { normalisation: "none", interpolation: "bilinear", resizeMode: "squash" },
      quickGelu: false,
    });
    expect(preprocessing).toMatchObject({ mean: [0, 0, 0], std: [1, 1, 1] });
    expect(preprocessing).toMatchObject({ interpolation: "bilinear", resizeMode: "squash" });
    expect(architecture.image).toMatchObject({ activation: "gelu" });
    expect(architecture.text).toMatchObject({ activation: "gelu" });
  });

  test("leave alone what they do not name", async () => {
    const [plain, same] = await Promise.all([openCheckpoint(VIT), openCheckpoint(VIT, {})]);
    expect(same.preprocessing).toEqual(plain.preprocessing);
    expect(same.architecture).toEqual(plain.architecture);
    const { mean, std, ...rest } = plain.preprocessing;
    const other = { mean: [0.1, 0.2, 0.3], std: [1, 2, 3] };
    const changed = await openCheckpoint(VIT, { preprocessing: { normalisation: other } });
    expect(changed.preprocessing).toEqual({ ...rest, ...other });
  });

  test("reach the network: without normalisation it sees the pixels themselves", async () => {
    const plain = await openCheckpoint(VIT);
    const raw = await openCheckpoint(VIT, { preprocessing: { normalisation: "none" } });
    const { mean, std } = plain.preprocessing;
    const { height, width } = plain.architecture.image.imageSize;
    const plane = height * width;
    const pixels = Float32Array.from({ length: 3 * plane }, (_, index) => ((index * 37) % 256) / 255);
    const normalised = pixels.map((value, index) => {
      const channel = Math.floor(index / plane);
      return (value - mean[channel]) / std[channel];
    });
    const embed = async (checkpoint: typeof plain, values: Float32Array) => {
      const session = await openSession(imageProgram(checkpoint, { batch: 1 }), {
        device: "cpu",
        threads: 1,
      });
      const { embedding } = await session.run({ pixels: float32([1, 3, height, width], values) });
      await session.close();
      return embedding.data as Float32Array;
    };
    const expected = await embed(plain, pixels);
    expect(relativeError(await embed(raw, normalised), expected)).toBeLessThan(1e-5);
    expect(relativeError(await embed(raw, pixels), expected)).toBeGreaterThan(1e-2);
  });

  test("are read from the folder where none are given", async () => {
    await withCopy("vit", async (folder) => {
      await writeFile(join(folder, OVERRIDES_FILE), '{"preprocessing": {"normalisation": "none"}}');
      const found = await openCheckpoint(folder);
      expect(found.preprocessing.mean).toEqual([0, 0, 0]);
      expect(found.files).toContain(OVERRIDES_FILE);
      expect((await openCheckpoint(folder, {})).preprocessing.mean).not.toEqual([0, 0, 0]);
    });
  });

  test.each([
    [[], ""],
    [{ normalization: "none" }, "normalization"],
    [{ quickGelu: "yes" }, "quickGelu"],
    [{ preprocessing: "none" }, "preprocessing"],
    [{ preprocessing: { normalisation: "half" } }, "preprocessing.normalisation"],
    [{ preprocessing: { normalisation: { std: [1, 0, 1] } } }, "preprocessing.normalisation.std"],
    [{ preprocessing: { normalisation: { deviation: 1 } } }, "preprocessing.normalisation.deviation"],
    [{ preprocessing: { interpolation: "nearest" } }, "preprocessing.interpolation"],
    [{ preprocessing: { resizeMode: "crop" } }, "preprocessing.resizeMode"],
  ])("%j is refused by name", (json, key) => {
    expect(() => parseOverrides(json)).toThrow(
      expect.objectContaining({ code: "INVALID_CHECKPOINT", details: { file: OVERRIDES_FILE, key } }),
    );
  });
});
