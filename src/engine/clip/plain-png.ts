import { inflateSync } from "node:zlib";
import type { RgbImage } from "./decoding.ts";

/** Signature, header chunk, and where its fields lie. */
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const FIRST_CHUNK = SIGNATURE.length;
const HEADER_LENGTH = 13;
/** Length and name before a chunk's data, checksum behind it. */
const CHUNK_OVERHEAD = 12;
/** What does not change the pixels: textual and physical facts. Whatever else there is, is left to the library. */
const HARMLESS: ReadonlySet<string> = new Set([
  "pHYs",
  "tEXt",
  "zTXt",
  "iTXt",
  "tIME",
  "sRGB",
  "gAMA",
  "cHRM",
]);

const CHECKSUMS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/**
 * The pixels of a small PNG of the plainest kind: eight bits of red, green and blue, not interlaced, and whole. Undefined
 * for every other, damaged ones among them: the caller's general decoder says what they are. It takes a quarter of that
 * decoder's time, which is spent on what is the same for images of all sizes.
 *
 * @param mostPixels an image with more is not looked at.
 */
export function decodePlainPng(bytes: Uint8Array, mostPixels: number): RgbImage | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < FIRST_CHUNK + HEADER_LENGTH + CHUNK_OVERHEAD) return undefined;
  if (!SIGNATURE.every((byte, index) => bytes[index] === byte)) return undefined;
  const width = view.getUint32(FIRST_CHUNK + 8);
  const height = view.getUint32(FIRST_CHUNK + 12);
  if (width === 0 || height === 0 || width * height > mostPixels) return undefined;
  // Depth, colour type, compression, filtering, interlacing.
  const kind = [8, 2, 0, 0, 0];
  if (!kind.every((value, index) => bytes[FIRST_CHUNK + 16 + index] === value)) return undefined;
  const packed = imageData(bytes, view);
  const rows = packed && inflated(packed, height * (1 + 3 * width));
  return rows && unfiltered(rows, width, height);
}

/** The data of the image, when all chunks are in order. */
function imageData(bytes: Uint8Array, view: DataView): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = FIRST_CHUNK; at + CHUNK_OVERHEAD <= bytes.length; ) {
    const length = view.getUint32(at);
    const end = at + CHUNK_OVERHEAD + length;
    if (end > bytes.length || checksum(bytes, at + 4, end - 4) !== view.getUint32(end - 4)) return undefined;
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === "IEND") return length === 0 && end === bytes.length ? joined(parts) : undefined;
    if (name === "IDAT") parts.push(bytes.subarray(at + 8, end - 4));
    else if (name === "IHDR" ? at !== FIRST_CHUNK || length !== HEADER_LENGTH : !HARMLESS.has(name))
      return undefined;
    at = end;
  }
  return undefined;
}

const joined = (parts: readonly Uint8Array[]): Uint8Array =>
  parts.length === 1 ? parts[0] : Buffer.concat(parts);

/** CRC-32 of a range. */
function checksum(bytes: Uint8Array, from: number, to: number): number {
  let value = 0xffffffff;
  for (let at = from; at < to; at++) value = CHECKSUMS[(value ^ bytes[at]) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

function inflated(packed: Uint8Array, length: number): Uint8Array | undefined {
  try {
    const rows = inflateSync(packed, { maxOutputLength: length });
    return rows.length === length ? rows : undefined;
  } catch {
    return undefined;
  }
}

/** Each row begins with the number of its filter (PNG, section 9). */
function unfiltered(rows: Uint8Array, width: number, height: number): RgbImage | undefined {
  const stride = 3 * width;
  const data = new Uint8Array(stride * height);
  let above = new Uint8Array(stride);
  for (let row = 0; row < height; row++) {
    const from = row * (stride + 1);
    const restore = FILTERS[rows[from]];
    if (!restore) return undefined;
    const target = data.subarray(row * stride, (row + 1) * stride);
    restore(rows.subarray(from + 1, from + 1 + stride), target, above);
    above = target;
  }
  return { width, height, data };
}

/** Fills a row from its filtered bytes and the row above; a pixel has three bytes, and those before the first are 0. */
type Restore = (filtered: Uint8Array, row: Uint8Array, above: Uint8Array) => void;

/** By number: a byte is told as it is, or beside the left one, the upper one, their mean, or Paeth's choice. */
const FILTERS: readonly Restore[] = [
  (filtered, row) => row.set(filtered),
  (filtered, row) => {
    for (let at = 0; at < row.length; at++) row[at] = filtered[at] + (at < 3 ? 0 : row[at - 3]);
  },
  (filtered, row, above) => {
    for (let at = 0; at < row.length; at++) row[at] = filtered[at] + above[at];
  },
  (filtered, row, above) => {
    for (let at = 0; at < row.length; at++)
      row[at] = filtered[at] + (((at < 3 ? 0 : row[at - 3]) + above[at]) >> 1);
  },
  (filtered, row, above) => {
    for (let at = 0; at < row.length; at++)
      row[at] = filtered[at] + (at < 3 ? above[at] : paeth(row[at - 3], above[at], above[at - 3]));
  },
];

/** Whichever is nearest to left + up − corner. */
function paeth(left: number, up: number, corner: number): number {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}
