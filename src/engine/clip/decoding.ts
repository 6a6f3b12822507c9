import sharp from "sharp";
import { AppError, type ErrorCode } from "../../errors.ts";
import { jpegComponents } from "./jpeg-header.ts";
import { decodePlainPng } from "./plain-png.ts";

/** A decoded image: interleaved red, green and blue bytes, row by row from the top. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

export interface ImageLimits {
  /** Of the encoded image. */
  readonly maxBytes: number;
  readonly maxPixels: number;
  /** The least height and width. */
  readonly minSide: number;
}

export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxBytes: 20 * 1024 * 1024,
  maxPixels: 40_000_000,
  minSide: 1,
};

export type ImageProblem = "UNDECODABLE" | "TOO_LARGE" | "TOO_SMALL" | "TOO_MANY_PIXELS" | "UNSUPPORTED_TYPE";

/** An image that is refused; `problem` (also `details.code`) says why. Messages never echo the decoder's. */
export class ImageError extends AppError {
  constructor(
    readonly problem: ImageProblem,
    message: string,
    facts: Record<string, unknown> = {},
  ) {
    const code: ErrorCode = problem === "TOO_LARGE" ? "PAYLOAD_TOO_LARGE" : "BAD_USER_INPUT";
    super(code, message, { ...facts, code: problem });
    this.name = "ImageError";
  }
}

type Format = "jpeg" | "png" | "webp";

/** Of a side in pixels: a long and thin image costs more to resize than its pixels say. Photographs are far below. */
const LONGEST_SIDE = 32_768;

/** Seconds; a small file can be made to keep a decoder busy for long. */
const LONGEST_DECODING = 30;
/** Of larger images the decoder's own work is most of the time, and the library is faster at it. */
const SMALL_PIXELS = 256 * 256;
const OPTIONS = { ignoreIcc: true, failOn: "error", pages: 1 } as const;

/**
 * Decodes a JPEG, PNG or WebP as PIL's `convert("RGB")` does: grey is repeated, alpha is dropped without blending,
 * 16 bits keep their upper eight (PIL's grey ones turn white), an EXIF orientation and a colour profile are not applied, and of an animation the
 * first frame counts. The type is recognised by its first bytes, so no other decoder ever sees the data. Throws
 * ImageError.
 */
export async function decodeImage(
  bytes: Uint8Array,
  limits: ImageLimits = DEFAULT_IMAGE_LIMITS,
): Promise<RgbImage> {
  if (bytes.length > limits.maxBytes) {
    const message = `The image has ${bytes.length} bytes; the limit is ${limits.maxBytes}. Send a smaller one.`;
    throw new ImageError("TOO_LARGE", message, { bytes: bytes.length, limit: limits.maxBytes });
  }
  const format = recogniseFormat(bytes);
  if (!format) throw new ImageError("UNSUPPORTED_TYPE", "The image is not a JPEG, PNG or WebP.");
  const plain =
    format === "png" ? decodePlainPng(bytes, Math.min(limits.maxPixels, SMALL_PIXELS)) : undefined;
  if (plain) {
    checkSize(plain, limits);
    return plain;
  }
  if (format === "jpeg" && jpegComponents(bytes) !== 3 && jpegComponents(bytes) !== 1)
    await explain(bytes, format, limits);
  const { data, info } = await sharp(bytes, { ...OPTIONS, limitInputPixels: limits.maxPixels })
    .timeout({ seconds: LONGEST_DECODING })
    .raw()
    .toBuffer({ resolveWithObject: true })
    .catch(async () => {
      await explain(bytes, format, limits);
      throw undecodable(format);
    });
  checkSize(info, limits);
  return {
    width: info.width,
    height: info.height,
    data: toRgb(data, info.width * info.height, info.channels),
  };
}

/** Throws what the image's header tells is wrong with it, if anything. The decoder fails in its own words. */
async function explain(bytes: Uint8Array, format: Format, limits: ImageLimits): Promise<void> {
  const header = await sharp(bytes, { ...OPTIONS, limitInputPixels: false })
    .metadata()
    .catch(() => {
      throw undecodable(format);
    });
  checkSize(header, limits);
  if (header.space === "cmyk")
    throw new ImageError("UNSUPPORTED_TYPE", "The image is in CMYK colours. Convert it to RGB.");
}

function undecodable(format: Format): ImageError {
  const name = { jpeg: "JPEG", png: "PNG", webp: "WebP" }[format];
  return new ImageError("UNDECODABLE", `The ${name} is damaged or incomplete. Export it again.`, { format });
}

function recogniseFormat(bytes: Uint8Array): Format | undefined {
  const starts = (at: number, ...expected: number[]) =>
    expected.every((byte, index) => bytes[at + index] === byte);
  if (starts(0, 0xff, 0xd8, 0xff)) return "jpeg";
  if (starts(0, 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return "png";
  // "RIFF", four bytes of length, "WEBP".
  if (starts(0, 0x52, 0x49, 0x46, 0x46) && starts(8, 0x57, 0x45, 0x42, 0x50)) return "webp";
  return undefined;
}

function checkSize({ width, height }: { width: number; height: number }, limits: ImageLimits): void {
  const facts = { width, height };
  if (width * height > limits.maxPixels) {
    const message = `The image has ${width} × ${height} pixels; the limit is ${limits.maxPixels} in all. Send a smaller one.`;
    throw new ImageError("TOO_MANY_PIXELS", message, { ...facts, limit: limits.maxPixels });
  }
  if (Math.max(width, height) > LONGEST_SIDE) {
    const message = `The image has ${width} × ${height} pixels; no side may have more than ${LONGEST_SIDE}. Send a smaller one.`;
    throw new ImageError("TOO_MANY_PIXELS", message, { ...facts, limit: LONGEST_SIDE });
  }
  if (Math.min(width, height) < limits.minSide) {
    const message = `The image has ${width} × ${height} pixels; each side needs at least ${limits.minSide}.`;
    throw new ImageError("TOO_SMALL", message, { ...facts, limit: limits.minSide });
  }
}

/** Three bytes a pixel from one (grey), two (grey and alpha), three or four (and alpha). */
function toRgb(samples: Uint8Array, pixels: number, channels: number): Uint8Array {
  if (channels === 3) return samples;
  const [green, blue] = channels < 3 ? [0, 0] : [1, 2];
  const rgb = new Uint8Array(3 * pixels);
  for (let pixel = 0, from = 0, to = 0; pixel < pixels; pixel++, from += channels, to += 3) {
    rgb[to] = samples[from]!;
    rgb[to + 1] = samples[from + green]!;
    rgb[to + 2] = samples[from + blue]!;
  }
  return rgb;
}
