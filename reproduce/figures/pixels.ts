import sharp from "sharp";
import type { PlanarImage } from "../../src/engine/attacks/index.ts";
import { element, type Piece } from "./svg.ts";

/** An image as a piece of SVG: a PNG of twice its size within, so that no viewer smears its pixels. */
export async function pixelPiece(
  image: PlanarImage,
  place: { readonly x: number; readonly y: number; readonly side: number },
): Promise<Piece> {
  const png = await pngOf(image);
  return element("image", {
    x: place.x,
    y: place.y,
    width: place.side,
    height: place.side,
    href: `data:image/png;base64,${png.toString("base64")}`,
  });
}

const ENLARGED = 2;

function pngOf({ width, height, data }: PlanarImage): Promise<Buffer> {
  const area = width * height;
  const bytes = Uint8Array.from(data, (_, index) =>
    Math.round(255 * Math.min(1, Math.max(0, data[(index % 3) * area + Math.floor(index / 3)]))),
  );
  return sharp(bytes, { raw: { width, height, channels: 3 } })
    .resize(ENLARGED * width, ENLARGED * height, { kernel: "nearest" })
    .png({ compressionLevel: 9, palette: false })
    .toBuffer();
}

/** What a trigger adds, made visible: grey where it adds nothing, and as strong as the card allows. */
export function amplified(width: number, height: number, trigger: Float32Array): PlanarImage {
  const strongest = trigger.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-9);
  return { width, height, data: trigger.map((value) => 0.5 + (0.5 * value) / strongest) };
}

/** A heat map over a pale version of its image: from clear over orange to dark red as the heat rises. */
export function heated(image: PlanarImage, side: number, heat: readonly number[]): PlanarImage {
  const { width, height, data } = image;
  const area = width * height;
  const highest = Math.max(...heat, 1e-12);
  const at = (row: number, column: number): number =>
    heat[clamp(row, side) * side + clamp(column, side)] / highest;
  const painted = new Float32Array(data.length);
  for (let pixel = 0; pixel < area; pixel++) {
    const [row, column] = [
      ((Math.floor(pixel / width) + 0.5) * side) / height - 0.5,
      (((pixel % width) + 0.5) * side) / width - 0.5,
    ];
    const [top, left] = [Math.floor(row), Math.floor(column)];
    const upper = mix(at(top, left), at(top, left + 1), column - left);
    const lower = mix(at(top + 1, left), at(top + 1, left + 1), column - left);
    const warmth = mix(upper, lower, row - top);
    const grey = (data[pixel] + data[area + pixel] + data[2 * area + pixel]) / 3;
    const colour = warm(warmth);
    for (let plane = 0; plane < 3; plane++)
      painted[plane * area + pixel] = mix(0.35 + 0.65 * grey, colour[plane], 0.8 * Math.min(1, 1.4 * warmth));
  }
  return { width, height, data: painted };
}

const clamp = (place: number, size: number): number => Math.min(size - 1, Math.max(0, place));

const mix = (low: number, high: number, share: number): number => low + (high - low) * share;

/** Yellow, orange, dark red: the lightness falls all the way, so the order shows without colour vision too. */
const STOPS = [
  [1, 0.93, 0.6],
  [0.94, 0.55, 0.1],
  [0.55, 0.06, 0.1],
] as const;

function warm(share: number): readonly number[] {
  const place = Math.min(1.999, 2 * share);
  const low = Math.floor(place);
  return STOPS[low].map((value, index) => mix(value, STOPS[low + 1][index], place - low));
}
