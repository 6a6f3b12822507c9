import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Client } from "./client.ts";
import { CREATE_DATASET } from "./operations.ts";

/** Labelled images on the server. */
export interface Dataset {
  readonly id: string;
  readonly name: string;
  readonly labels: readonly string[];
  readonly size: number;
}

interface Created {
  readonly createDataset: {
    readonly dataset: Dataset | null;
    readonly userErrors: readonly { message: string }[];
  };
}

/** Makes a dataset of a folder of class folders: every image, labelled by its folder. */
export async function uploadShots(client: Client, name: string, folder: string): Promise<Dataset> {
  const input = { name, examples: { list: await labelledImages(folder) } };
  const { createDataset } = await client.request<Created>(CREATE_DATASET, { input });
  if (createDataset.dataset) return createDataset.dataset;
  throw new Error(createDataset.userErrors.map(({ message }) => message).join("; "));
}

async function labelledImages(folder: string) {
  const labels = (await readdir(folder)).sort();
  const classes = await Promise.all(
    labels.map(async (label) => {
      const names = (await readdir(join(folder, label))).sort();
      const files = await Promise.all(names.map((name) => readFile(join(folder, label, name), "base64")));
      return files.map((base64) => ({ label, image: { base64 } }));
    }),
  );
  return classes.flat();
}
