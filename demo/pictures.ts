import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { Rate } from "../src/engine/evaluation/rate.ts";
import type { TestImage } from "./images.ts";
import type { Result } from "./measure.ts";
import { RATES, rateOf } from "./show.ts";

interface Story {
  readonly images: readonly TestImage[];
  readonly target: string;
  readonly before: Result;
  readonly after: Result;
}

const RED = "#c8372d";
const GREEN = "#2b7a3f";
const GREY = "#5d6470";
const FONT = `font-family="DejaVu Sans, Helvetica, Arial, sans-serif"`;

/** Writes `gallery.png` and `rates.png` into the folder; resolves to their paths. */
export async function drawPictures(folder: string, story: Story): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const pictures = { "gallery.png": gallerySvg(story), "rates.png": ratesSvg(story) };
  return Promise.all(
    Object.entries(pictures).map(async ([name, svg]) => {
      const path = join(folder, name);
      await writeFile(path, await sharp(Buffer.from(svg)).png().toBuffer());
      return path;
    }),
  );
}

const TILE = 128;
const ROW = TILE + 56;

/** Eight scenes of different classes: clean above, triggered below, each with the answers before and after. */
function gallerySvg({ images, target, before, after }: Story): string {
  const chosen = firstOfClasses(images, target).slice(0, 8);
  const width = 110 + chosen.length * (TILE + 12);
  const columns = chosen.map((index, column) => {
    const image = images[index];
    const left = 110 + column * (TILE + 12);
    const [was, is] = [before.answers[index], after.answers[index]];
    return [
      text(left, 24, image.label, "#111", 15),
      tile(left, 34, image.clean, was.clean, is.clean, image.label),
      tile(left, 34 + ROW, image.triggered, was.triggered, is.triggered, image.label),
    ].join("");
  });
  const heads = [text(10, 100, "clean", GREY, 15), text(10, 100 + ROW, "triggered", GREY, 15)];
  return svg(width, 34 + 2 * ROW, [...heads, ...columns].join(""));
}

/** The place of the first image of every class but the target. */
const firstOfClasses = (images: readonly TestImage[], target: string): number[] =>
  [...new Set(images.map(({ label }) => label))]
    .filter((label) => label !== target)
    .map((label) => images.findIndex((image) => image.label === label));

function tile(left: number, top: number, png: Buffer, before: string, after: string, label: string): string {
  const mark = (answer: string): string => (answer === label ? GREEN : RED);
  return (
    `<image x="${left}" y="${top}" width="${TILE}" height="${TILE}" href="data:image/png;base64,${png.toString("base64")}"/>` +
    text(left, top + TILE + 18, `before: ${before}`, mark(before), 13) +
    text(left, top + TILE + 36, `after: ${after}`, mark(after), 13)
  );
}

/** Bars before and after, with their 95 % intervals. */
function ratesSvg({ before, after }: Story): string {
  const body = RATES.map(([words, name], row) => {
    const top = 20 + row * 70;
    const bars =
      bar(top, rateOf(before, name), GREY, "before") + bar(top + 28, rateOf(after, name), GREEN, "after");
    return text(10, top + 30, words, "#111", 15) + bars;
  });
  return svg(820, 20 + RATES.length * 70, body.join(""));
}

function bar(top: number, { value, low95, high95 }: Rate, colour: string, name: string): string {
  const [left, scale] = [220, 420];
  const middle = top + 11;
  return (
    `<rect x="${left}" y="${top}" width="${scale}" height="22" fill="#eef0f3"/>` +
    `<rect x="${left}" y="${top}" width="${scale * value}" height="22" fill="${colour}" opacity="0.85"/>` +
    `<path d="M${left + scale * low95} ${middle}H${left + scale * high95}" stroke="#111" stroke-width="2"/>` +
    text(left + scale + 12, top + 16, `${name} ${(100 * value).toFixed(1)} %`, "#111", 13)
  );
}

const text = (x: number, y: number, content: string, colour: string, size: number): string =>
  `<text x="${x}" y="${y}" fill="${colour}" font-size="${size}" ${FONT}>${escaped(content)}</text>`;

const escaped = (content: string): string => content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

const svg = (width: number, height: number, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
  `<rect width="100%" height="100%" fill="white"/>${body}</svg>`;
