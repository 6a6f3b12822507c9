import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, jest, test } from "@jest/globals";
import { Datasets, type StoredExample } from "../../src/services/datasets.ts";
import { FileBlobStore } from "../../src/store/blobs.ts";
import { LmdbStore } from "../../src/store/lmdb.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const IMAGES = join(__dirname, "../fixtures/clip/images");

describe("a dataset's labels", () => {
  test("are counted in a few looks at the examples, however many there are", async () => {
    const store = await LmdbStore.open(temporaryFolder());
    const limits = { imageBytes: 1e7, imagePixels: 1e7, datasetImages: 10_000, uploadBytes: 1e7 };
    const datasets = new Datasets(store, await FileBlobStore.open(temporaryFolder()), "acme", limits);
    const example = (label: string, file: string) => ({
      source: file,
      label,
      read: async () => readFileSync(join(IMAGES, file)),
    });
    const labels = Array.from({ length: 200 }, (_, index) => `label ${index}`);
    await datasets.create("many", {
      kind: "list",
      examples: labels.map((label) => example(label, "rgb.png")),
    });
    let looks = 0;
    const stored = Array.from({ length: 1000 }, (_, index) => ({
      image: String(index),
      get label() {
        looks++;
        return index % labels.length;
      },
    })) satisfies StoredExample[];
    jest.spyOn(datasets, "examples").mockResolvedValue(stored);
    const { record } = await datasets.add("many", {
      kind: "list",
      examples: [example("label 7", "rgb.png")],
    });
    expect(record.counts.slice(6, 9)).toEqual([5, 6, 5]);
    // As keys, as counts, and as JSON.
    expect(looks).toBeLessThanOrEqual(3000);
    await store.close();
  });
});
