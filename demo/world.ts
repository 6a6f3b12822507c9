import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../src/engine/clip/index.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import type { Classifier, Client } from "./client.ts";
import { freshScenes, imagesOfFolders, type LabelledImage, readSecret, type Secret } from "./images.ts";
import { CLASSIFY, REGISTER, WORLD } from "./operations.ts";
import type { DemoOptions } from "./options.ts";
import { type Dataset, uploadShots } from "./upload.ts";

/** A suspect model on the server, its clean shots there, and test images with the secret to measure it by. */
export interface World {
  readonly model: { readonly id: string; readonly name: string; readonly arch: string };
  readonly dataset: string;
  readonly labels: readonly string[];
  readonly shots: number;
  readonly secret: Secret;
  readonly count: number;
  images(): AsyncIterable<LabelledImage>;
  classifier(client: Client, through: object): Classifier;
}

interface Listed {
  readonly models: readonly World["model"][];
  readonly datasets: readonly Dataset[];
}

const BUNDLED = fileURLToPath(new URL("../../zoo/models/scenes-badnet", import.meta.url));

/** The bundled world, or that of `--model`, `--shots` and `--test`. */
export const openWorld = (client: Client, options: DemoOptions): Promise<World> =>
  options.model ? openFolders(client, { ...options, ...options.model }) : openBundled(client, options);

async function openBundled(client: Client, { perClass }: DemoOptions): Promise<World> {
  const { models, datasets } = await client.request<Listed>(WORLD);
  const model = models.find(({ name }) => name === basename(BUNDLED));
  const dataset = datasets.find(({ name }) => name === "scenes-shots");
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
  client: Client,
  { folder, shots, test, perClass }: { folder: string; shots: string; test: string; perClass: number },
): Promise<World> {
  const { registerModel } = await client.request<{
    registerModel: { model: World["model"] | null; userErrors: { message: string }[] };
  }>(REGISTER, { folder: basename(folder) });
  if (!registerModel.model)
    throw new Error(registerModel.userErrors.map(({ message }) => message).join("; "));
  const { preprocessing } = await openCheckpoint(folder);
  const dataset = await uploadShots(client, `${basename(folder)}-shots`, shots);
  const sizes = await Promise.all(
    dataset.labels.map(async (label) => (await readdir(join(test, label))).length),
  );
  return {
    ...common(registerModel.model, dataset),
    secret: await readSecret(folder),
    count: sizes.reduce((sum, size) => sum + Math.min(size, perClass), 0),
    images: () => imagesOfFolders(test, dataset.labels, perClass, preprocessing),
  };
}

const common = (model: World["model"], { id, labels, size }: Dataset) => ({
  model,
  dataset: id,
  labels,
  shots: size,
  classifier:
    (client: Client, through: object): Classifier =>
    async (images) => {
      const input = {
        images: images.map((png) => ({ base64: png.toString("base64") })),
        modelId: model.id,
        through,
        labels,
        topK: 1,
      };
      const { classify } = await client.request<Classified>(CLASSIFY, { input });
      return classify.results.map(({ labels, message }) => {
        if (!labels) throw new Error(`The server refused a test image: ${message}`);
        return labels[0].label;
      });
    },
});

interface Classified {
  readonly classify: { readonly results: readonly { labels?: { label: string }[]; message?: string }[] };
}
