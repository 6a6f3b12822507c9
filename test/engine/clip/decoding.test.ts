import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { DEFAULT_IMAGE_LIMITS, decodeImage, ImageError } from "../../../src/engine/clip/decoding.ts";
import { FIXTURES } from "./fixtures.ts";

const png = fixture("rgb.png");
const jpeg = fixture("rgb.jpg");
const webp = fixture("rgb.webp");

describe("damaged and unwanted images", () => {
  const svg = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>`);
  const noise = Buffer.from(Array.from({ length: 400 }, (_, index) => (index * 89) % 251));
  const cases: [string, Uint8Array, string][] = [
    ["no bytes", new Uint8Array(0), "UNSUPPORTED_TYPE"],
    ["text", Buffer.from("not an image"), "UNSUPPORTED_TYPE"],
    ["an SVG", svg, "UNSUPPORTED_TYPE"],
    ["a GIF", Buffer.from("GIF89a\u0001\u0000\u0001\u0000\u0000\u0000\u0000;"), "UNSUPPORTED_TYPE"],
    ["a TIFF", Buffer.from("II*\u0000\b\u0000\u0000\u0000"), "UNSUPPORTED_TYPE"],
    ["a CMYK JPEG", fixture("cmyk.jpg"), "UNSUPPORTED_TYPE"],
    ["a PNG's signature alone", png.subarray(0, 8), "UNDECODABLE"],
    ["a truncated PNG", png.subarray(0, 900), "UNDECODABLE"],
    ["a PNG with a damaged middle", damaged(png, 700), "UNDECODABLE"],
    ["a truncated JPEG", jpeg.subarray(0, 800), "UNDECODABLE"],
    ["a JPEG's first bytes, then noise", Buffer.concat([jpeg.subarray(0, 4), noise]), "UNDECODABLE"],
    ["a truncated WebP", webp.subarray(0, 300), "UNDECODABLE"],
    ["a WebP's first bytes, then an SVG", Buffer.concat([webp.subarray(0, 12), svg]), "UNDECODABLE"],
    ["a PNG that claims 65000 × 65000 pixels", bomb(), "TOO_MANY_PIXELS"],
  ];

  test.each(cases)("%s is refused", async (_, bytes, problem) => {
    const error = await decodeImage(bytes).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ImageError);
    expect(error).toMatchObject({ problem, details: { code: problem } });
    expect((error as Error).message).not.toMatch(/vips|pngload|jpegload|Input buffer/i);
  });

  test("every truncation of every type ends in a typed error or an image", async () => {
    for (const bytes of [png, jpeg, webp]) {
      for (let length = 0; length < bytes.length; length += 41) {
        const result = await decodeImage(bytes.subarray(0, length)).catch((reason: unknown) => reason);
        expect(result instanceof ImageError || "data" in (result as object)).toBe(true);
      }
    }
  });
});

describe("limits", () => {
  test("on bytes", async () => {
    await expect(decodeImage(png, { ...DEFAULT_IMAGE_LIMITS, maxBytes: 100 })).rejects.toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      problem: "TOO_LARGE",
    });
  });

  test("on pixels", async () => {
    await expect(decodeImage(png, { ...DEFAULT_IMAGE_LIMITS, maxPixels: 31 * 23 - 1 })).rejects.toMatchObject(
      {
        problem: "TOO_MANY_PIXELS",
        details: { width: 31, height: 23, limit: 712 },
      },
    );
    await expect(decodeImage(png, { ...DEFAULT_IMAGE_LIMITS, maxPixels: 31 * 23 })).resolves.toBeDefined();
  });

  test("on the longer side, however few pixels there are", async () => {
    const image = sharp({ create: { width: 33_000, height: 1, channels: 3, background: "red" } });
    await expect(decodeImage(await image.png().toBuffer())).rejects.toMatchObject({
      problem: "TOO_MANY_PIXELS",
      details: { width: 33_000, height: 1, limit: 32_768 },
    });
  });

  test("on the shorter side", async () => {
    await expect(decodeImage(png, { ...DEFAULT_IMAGE_LIMITS, minSide: 24 })).rejects.toMatchObject({
      problem: "TOO_SMALL",
    });
  });
});

test("the camera's orientation is not applied", async () => {
  const { width, height } = await decodeImage(fixture("oriented.jpg"));
  expect([width, height]).toEqual([31, 23]);
});

test("a colour profile is not applied", async () => {
  const plain = await sharp(png).png().toBuffer();
  const profiled = await sharp(png).withIccProfile("p3").png().toBuffer();
  const untouched = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
  expect(Buffer.from((await decodeImage(profiled)).data).equals(untouched)).toBe(true);
  expect((await decodeImage(plain)).data).toHaveLength(untouched.length);
});

function fixture(name: string): Buffer {
  return readFileSync(join(FIXTURES, "images", name));
}

function damaged(bytes: Buffer, position: number): Buffer {
  const copy = Buffer.from(bytes);
  for (let index = position; index < position + 40; index++) copy[index] ^= 0xff;
  return copy;
}

/** A small PNG whose header claims a huge picture. */
function bomb(): Buffer {
  const copy = Buffer.from(png);
  copy.writeUInt32BE(65_000, 16);
  copy.writeUInt32BE(65_000, 20);
  // The header's checksum must fit, or the decoder stops there.
  copy.writeUInt32BE(checksum(copy.subarray(12, 29)), 29);
  return copy;
}

/** CRC-32 as PNG uses it. */
function checksum(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
}
