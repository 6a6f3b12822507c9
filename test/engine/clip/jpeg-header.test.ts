import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { jpegComponents } from "../../../src/engine/clip/jpeg-header.ts";

const raw = { width: 8, height: 8, channels: 3 } as const;
const picture = sharp(Buffer.alloc(192, 90), { raw });

describe("the components of a JPEG", () => {
  test("are one for grey, three for colours, four for CMYK", async () => {
    expect(jpegComponents(await picture.clone().jpeg().toBuffer())).toBe(3);
    expect(jpegComponents(await picture.clone().jpeg({ progressive: true }).toBuffer())).toBe(3);
    expect(jpegComponents(await picture.clone().toColourspace("b-w").jpeg().toBuffer())).toBe(1);
    const cmyk = readFileSync(join(__dirname, "../../fixtures/clip/images/cmyk.jpg"));
    expect(jpegComponents(cmyk)).toBe(4);
  });

  test("are not known where the header breaks off or is no such thing", async () => {
    const whole = await picture.clone().jpeg().toBuffer();
    for (const length of [0, 2, 4, 20]) expect(jpegComponents(whole.subarray(0, length))).toBeUndefined();
    expect(jpegComponents(Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 0]))).toBeUndefined();
    expect(jpegComponents(Buffer.alloc(100))).toBeUndefined();
  });
});
