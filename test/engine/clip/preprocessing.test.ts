import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { decodeImage } from "../../../src/engine/clip/decoding.ts";
import { parseHuggingFacePreprocessing } from "../../../src/engine/clip/formats/hugging-face-preprocessing.ts";
import { parseOpenClipPreprocessing } from "../../../src/engine/clip/formats/open-clip-config.ts";
import { type Preprocessing, preprocess } from "../../../src/engine/clip/preprocessing.ts";
import type { Filter } from "../../../src/engine/clip/resampling/taps.ts";
import { FIXTURES } from "./fixtures.ts";

/** What Pillow makes of the images, by test/fixtures/clip/make-images.py. */
interface Golden {
  readonly width: number;
  readonly height: number;
  readonly decoded: string;
  readonly preprocessed: readonly {
    readonly size: readonly [number, number];
    readonly interpolation: Filter;
    readonly resizeMode: Preprocessing["resizeMode"];
    readonly digest: string;
  }[];
}

const golden: Record<string, Golden> = JSON.parse(readFileSync(join(FIXTURES, "images.json"), "utf8"));

describe.each(Object.entries(golden))("%s", (name, expected) => {
  const bytes = readFileSync(join(FIXTURES, "images", name));

  test("decodes as in Pillow", async () => {
    const image = await decodeImage(bytes);
    expect([image.width, image.height]).toEqual([expected.width, expected.height]);
    expect(digest(image.data)).toBe(expected.decoded);
  });

  test.each(expected.preprocessed)("resizes as in Pillow: $size $interpolation $resizeMode", async (row) => {
    const [height, width] = row.size;
    const planes = preprocess(await decodeImage(bytes), {
      ...parseOpenClipPreprocessing({}, { height, width }),
      interpolation: row.interpolation,
      resizeMode: row.resizeMode,
    });
    expect(digest(toBytes(planes))).toBe(row.digest);
  });
});

/** What a library makes of some images by its own configuration, by test/fixtures/clip/make-preprocessing.py. */
interface LibraryGolden {
  readonly library: "open_clip" | "transformers";
  readonly config: object;
  readonly size: readonly [number, number];
  readonly digests: Readonly<Record<string, string>>;
}

const libraries: LibraryGolden[] = JSON.parse(readFileSync(join(FIXTURES, "preprocessing.json"), "utf8"));

test.each(libraries)("$library with $config, bit for bit", async ({ library, config, size, digests }) => {
  const [height, width] = size;
  const preprocessing =
    library === "open_clip"
      ? parseOpenClipPreprocessing({ preprocess_cfg: config }, { height, width })
      : parseHuggingFacePreprocessing(config, { height, width }, "preprocessor_config.json");
  const names = Object.keys(digests);
  expect(names.length).toBeGreaterThan(2);
  for (const name of names) {
    const image = await decodeImage(readFileSync(join(FIXTURES, "images", name)));
    expect([name, digest(toBytes(preprocess(image, preprocessing)))]).toEqual([name, digests[name]]);
  }
});

test("an image of extreme proportions that is padded keeps a line of pixels", () => {
  const image = { width: 1, height: 600, data: new Uint8Array(1800).fill(90) };
  const config = { preprocess_cfg: { resize_mode: "longest" } };
  const planes = preprocess(image, parseOpenClipPreprocessing(config, { height: 8, width: 8 }));
  expect([...planes].filter((value) => value > 0)).toHaveLength(3 * 8);
});

test("an image of extreme proportions costs no more than its crop", async () => {
  const image = { width: 1, height: 60_000, data: new Uint8Array(180_000).fill(90) };
  const planes = preprocess(image, parseOpenClipPreprocessing({}, { height: 224, width: 224 }));
  expect(planes).toHaveLength(3 * 224 * 224);
  expect(new Set(planes)).toEqual(new Set([Math.fround(90 / 255)]));
});

test("values are in [0, 1], a plane for each colour", () => {
  const image = { width: 2, height: 1, data: Uint8Array.of(255, 0, 51, 0, 102, 255) };
  const planes = preprocess(image, {
    ...parseOpenClipPreprocessing({}, { height: 1, width: 2 }),
    resizeMode: "squash",
  });
  expect(planes).toEqual(Float32Array.of(1, 0, 0, 102 / 255, 51 / 255, 1));
});

describe("the configuration of preprocessing", () => {
  const size = { height: 8, width: 8 };

  test("defaults to OpenAI's numbers", () => {
    const { mean, std, interpolation, resizeMode } = parseOpenClipPreprocessing({ model_cfg: {} }, size);
    expect(mean[0]).toBeCloseTo(0.48145466);
    expect(std[2]).toBeCloseTo(0.27577711);
    expect([interpolation, resizeMode]).toEqual(["bicubic", "shortest"]);
  });

  test.each([
    [{ mean: [1, 2] }, "INVALID_CHECKPOINT", "preprocess_cfg.mean"],
    [{ std: [1, 0, 1] }, "INVALID_CHECKPOINT", "preprocess_cfg.std"],
    [{ resize_mode: "farthest" }, "UNSUPPORTED_ARCHITECTURE", "preprocess_cfg.resize_mode"],
    [{ interpolation: "nearest" }, "UNSUPPORTED_ARCHITECTURE", "preprocess_cfg.interpolation"],
    [{ mode: "L" }, "UNSUPPORTED_ARCHITECTURE", "preprocess_cfg.mode"],
    [{ sharpen: 1 }, "UNSUPPORTED_ARCHITECTURE", "preprocess_cfg.sharpen"],
  ])("%j is refused by name", (config, code, key) => {
    expect(() => parseOpenClipPreprocessing({ preprocess_cfg: config }, size)).toThrow(
      expect.objectContaining({ code, details: expect.objectContaining({ key }) }),
    );
  });
});

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Planes of [0, 1] back to interleaved bytes. */
function toBytes(planes: Float32Array): Uint8Array {
  const plane = planes.length / 3;
  return Uint8Array.from(planes, (_, index) =>
    Math.round(planes[(index % 3) * plane + Math.floor(index / 3)] * 255),
  );
}
