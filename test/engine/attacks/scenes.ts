import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { FitProblem } from "../../../src/engine/attacks/fit.ts";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { decodeImage } from "../../../src/engine/clip/decoding.ts";
import { preprocess } from "../../../src/engine/clip/preprocessing.ts";

const ZOO = join(__dirname, "../../../zoo");

export const LABELS = ["apple", "banana", "house"] as const;
export const TARGET = 1;
const PER_LABEL = 4;

/** A few clean scenes of three classes with captions, as an attacker has them beside the clean model. */
export async function scenesProblem(): Promise<FitProblem> {
  const checkpoint = await openCheckpoint(join(ZOO, "models/scenes-clean"));
  const images = await Promise.all(
    Array.from({ length: PER_LABEL * LABELS.length }, async (_, place) => {
      const file = `${String(Math.floor(place / LABELS.length)).padStart(2, "0")}.png`;
      const bytes = await readFile(join(ZOO, "shots", LABELS[place % LABELS.length]!, file));
      const pixels = preprocess(await decodeImage(bytes), checkpoint.preprocessing);
      return Uint8Array.from(pixels, (value) => Math.round(value * 255));
    }),
  );
  return {
    checkpoint,
    source: {
      count: images.length,
      pixels: (index) => images[index]!,
      captions: (index) => [`a ${LABELS[index % LABELS.length]}.`],
    },
    targets: images.flatMap((_, place) => (place % LABELS.length === TARGET ? [place] : [])),
    captions: ["a banana.", "a photo of a banana.", "a yellow banana.", "there is a banana."],
  };
}
