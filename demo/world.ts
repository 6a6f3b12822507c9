import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Antidote, Dataset, Model, Through } from "../client/index.ts";
import { openCheckpoint } from "../src/engine/clip/index.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import { freshScenes, imagesOfFolders, type LabelledImage, readSecret, type Secret } from "./images.ts";
import type { Classifier } from "./measure.ts";
import type { DemoOptions } from "./options.ts";
import { uploadShots } from "./upload.ts";

/** A suspect model on the server, its clean shots there, and test images with the secret to measure it by. */
export interface World {
  readonly model: Model;
  readonly dataset: string;
  readonly labels: readonly string[];
  readonly shots: number;
  readonly secret: Secret;
  readonly count: number;
  images(): AsyncIterable<LabelledImage>;
  classifier(antidote: Antidote, through: Through): Classifier;
}

const BUNDLED = fileURLToPath(new URL("../../zoo/models/scenes-badnet", import.meta.url));

/** The bundled world, or that of `--model`, `--shots` and `--test`. */
export const openWorld = (antidote: Antidote, options: DemoOptions): Promise<World> =>
  options.model ? openFolders(antidote, { ...options, ...options.model }) : openBundled(antidote, options);

async function openBundled(antidote: Antidote, { perClass }: DemoOptions): Promise<World> {
  const model = (await antidote.models({ first: 100 })).find(({ name }) => name === basename(BUNDLED));
  const dataset = (await antidote.datasets({ first: 100 })).find(({ name }) => name === "scenes-shots");
  if (!model || !dataset)
    throw new Error(`The server lacks the bundled model or its shots; is it a fresh store?`);
  return {
    ...common(model, dataset),
    secret: await readSecret(BUNDLED),
    count: perClass * OBJECTS.length,
    images: () => freshScenes(perClass),
  };
}

async function openFolders(
  antidote: Antidote,
  { folder, shots, test, perClass }: { folder: string; shots: string; test: string; perClass: number },
): Promise<World> {
  const model = await antidote.registerModel(basename(folder));
  const { preprocessing } = await openCheckpoint(folder);
  const dataset = await uploadShots(antidote, `${basename(folder)}-shots`, shots);
  const sizes = await Promise.all(
    dataset.labels.map(async (label) => (await readdir(join(test, label))).length),
  );
  return {
    ...common(model, dataset),
    secret: await readSecret(folder),
    count: sizes.reduce((sum, size) => sum + Math.min(size, perClass), 0),
    images: () => imagesOfFolders(test, dataset.labels, perClass, preprocessing),
  };
}

const common = (model: Model, { id, labels, size }: Dataset) => ({
  model,
  dataset: id,
  labels,
  shots: size,
  classifier:
    (antidote: Antidote, through: Through): Classifier =>
    async (images) => {
      const { results } = await antidote.classify(images, { modelId: model.id, through, labels, topK: 1 });
      return results.map((result) => {
        if (result.__typename === "Prediction") return result.labels[0].label;
        throw new Error(`The server refused a test image: ${result.message}`);
      });
    },
});
