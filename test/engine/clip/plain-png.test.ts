import { describe, expect, test } from "@jest/globals";
import sharp, { type PngOptions } from "sharp";
import { decodeImage } from "../../../src/engine/clip/decoding.ts";
import { decodePlainPng } from "../../../src/engine/clip/plain-png.ts";
import { seededRandom } from "../../../zoo/scenes/random.ts";

const MOST = 10_000;

/** Smooth with grain, so that an encoder has a use for every filter. */
function pixels(width: number, height: number, channels: 3 | 4, seed: number): Buffer {
  const random = seededRandom(seed);
  return Buffer.from(
    Uint8ClampedArray.from(
      { length: width * height * channels },
      (_, index) => 128 + 100 * Math.sin(index / 40) + 20 * random(),
    ),
  );
}

const png = (width: number, height: number, seed: number, options: PngOptions = {}) =>
  sharp(pixels(width, height, 3, seed), { raw: { width, height, channels: 3 } })
    .png(options)
    .toBuffer();

describe("a plain PNG", () => {
  test.each([
    [1, 1],
    [64, 64],
    [7, 31],
    [90, 13],
  ])("of %i by %i pixels is what it was made of", async (width, height) => {
    for (const adaptiveFiltering of [false, true])
      for (const compressionLevel of [0, 9]) {
        const file = await png(width, height, width, { adaptiveFiltering, compressionLevel });
        const image = decodePlainPng(file, MOST);
        expect(image).toMatchObject({ width, height });
        expect(Buffer.from(image!.data).equals(pixels(width, height, 3, width))).toBe(true);
      }
  });

  test("comes out of decodeImage as out of the library", async () => {
    const file = await png(48, 48, 5, { adaptiveFiltering: true });
    const library = await sharp(file).raw().toBuffer();
    expect(Buffer.from((await decodeImage(file)).data).equals(library)).toBe(true);
  });

  test("of another kind, or too large, is left to the library", async () => {
    const raw = { width: 8, height: 8, channels: 4 } as const;
    const others = [
      await sharp(pixels(8, 8, 4, 1), { raw })
        .png()
        .toBuffer(),
      await png(8, 8, 1, { palette: true }),
      await png(8, 8, 1, { progressive: true }),
      await sharp(pixels(8, 8, 3, 1), { raw: { ...raw, channels: 3 } })
        .toColourspace("b-w")
        .png()
        .toBuffer(),
      await sharp(pixels(8, 8, 3, 1), { raw: { ...raw, channels: 3 } })
        .toColourspace("rgb16")
        .png()
        .toBuffer(),
    ];
    expect(others.map((file) => decodePlainPng(file, MOST))).toEqual(others.map(() => undefined));
    expect(decodePlainPng(await png(101, 100, 1), MOST)).toBeUndefined();
    expect(decodePlainPng(Buffer.alloc(100), MOST)).toBeUndefined();
  });

  test("that is cut or changed anywhere is left to the library", async () => {
    const file = await png(12, 12, 3);
    for (let length = 0; length < file.length; length++)
      expect(decodePlainPng(file.subarray(0, length), MOST)).toBeUndefined();
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file);
      changed[at] ^= 0x10;
      expect(decodePlainPng(changed, MOST)).toBeUndefined();
    }
    expect(decodePlainPng(Buffer.concat([file, Buffer.alloc(1)]), MOST)).toBeUndefined();
  });
});
