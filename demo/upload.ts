import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Antidote, Dataset, Example } from "../client/index.ts";

/** Makes a dataset of a folder of class folders: every image, labelled by its folder. */
export async function uploadShots(antidote: Antidote, name: string, folder: string): Promise<Dataset> {
  const labels = (await readdir(folder)).sort();
  const classes = await Promise.all(labels.map((label) => labelledImages(folder, label)));
  return (await antidote.createDataset(name, classes.flat())).dataset;
}

async function labelledImages(folder: string, label: string): Promise<Example[]> {
  const names = (await readdir(join(folder, label))).sort();
  return names.map((name) => ({ label, image: { path: join(folder, label, name) } }));
}
