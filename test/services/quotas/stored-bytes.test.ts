import { afterEach, beforeEach, expect, test } from "@jest/globals";
import sharp from "sharp";
import { Datasets, type Examples } from "../../../src/services/datasets.ts";
import { writeQuota } from "../../../src/services/quotas/quota.ts";
import { StoredBytes } from "../../../src/services/quotas/stored-bytes.ts";
import { reportUsage } from "../../../src/services/quotas/usage-report.ts";
import { FileBlobStore } from "../../../src/store/blobs.ts";
import type { Store } from "../../../src/store/store.ts";
import { describeStores } from "../../support/stores.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const LIMITS = { imageBytes: 1e6, imagePixels: 1e6, datasetImages: 100, uploadBytes: 1e6 };

describeStores((open) => {
  let store: Store;
  let datasets: Datasets;
  const total = () => new StoredBytes(store, "acme").total();

  beforeEach(async () => {
    store = await open();
    datasets = new Datasets(store, await FileBlobStore.open(temporaryFolder()), "acme", LIMITS);
  });
  afterEach(() => store.close());

  const imageOf = (level: number) =>
    sharp({ create: { width: 4, height: 4, channels: 3, background: { r: level, g: 0, b: 0 } } })
      .png()
      .toBuffer();
  const examplesOf = (images: readonly Buffer[]): Examples => ({
    kind: "list",
    examples: images.map((image, index) => ({
      source: `image ${index}`,
      label: `label ${index % 2}`,
      read: async () => image,
    })),
  });

  test("an image counts once for a dataset, and nothing is counted any more once it is deleted", async () => {
    const [one, two, three] = await Promise.all([1, 2, 3].map(imageOf));
    await datasets.create("a", examplesOf([one, one, two]));
    expect(await total()).toBe(one.length + two.length);
    await datasets.add("a", examplesOf([two, three]));
    await datasets.create("b", examplesOf([one]));
    expect(await total()).toBe(2 * one.length + two.length + three.length);
    await datasets.remove("a");
    expect(await total()).toBe(one.length);
    expect(await datasets.find("a")).toBeUndefined();
    await expect(datasets.remove("a")).rejects.toMatchObject({ code: "NOT_FOUND" });
    await datasets.create("a", examplesOf([two]));
    const now = new Date();
    const [today] = await reportUsage(store, "acme", {
      from: now,
      to: new Date(now.getTime() + 1),
      granularity: "day",
    });
    expect(today.storedBytes).toBe(one.length + two.length);
  });

  test("what the quota does not hold is refused, of many at once too, and leaves no trace", async () => {
    const images = await Promise.all([1, 2, 3, 4, 5, 6].map(imageOf));
    const size = images[0].length;
    expect(images.every(({ length }) => length === size)).toBe(true);
    await writeQuota(store, "acme", "storedBytes", { limit: 3 * size });
    const made = await Promise.allSettled(
      images.map((image, index) => datasets.create(`d${index}`, examplesOf([image]))),
    );
    expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    for (const outcome of made)
      if (outcome.status === "rejected")
        expect(outcome.reason).toMatchObject({
          code: "QUOTA_EXCEEDED",
          details: { quota: "storedBytes", limit: 3 * size, used: 3 * size },
        });
    expect(await total()).toBe(3 * size);
    const [{ name }, ...others] = await datasets.list(10);
    expect(others).toHaveLength(2);
    await expect(datasets.add(name, examplesOf(images))).rejects.toMatchObject({ code: "QUOTA_EXCEEDED" });
    await datasets.remove(name);
    await datasets.create("again", examplesOf([images[0]]));
    await expect(datasets.create("more", examplesOf([images[0]]))).rejects.toMatchObject({
      code: "QUOTA_EXCEEDED",
    });
  });

  test("a day's report is of its end, and holds until something changes", async () => {
    let now = new Date("2026-11-26T12:00:00Z");
    const stored = new StoredBytes(store, "acme", undefined, () => now);
    const change = async (bytes: number) => store.commit(await stored.plan(bytes, { mustFit: false }));
    await change(5);
    await change(2);
    now = new Date("2026-11-28T12:00:00Z");
    await change(-4);
    const range = { from: new Date("2026-11-25"), to: new Date("2026-11-30"), granularity: "day" } as const;
    const days = await reportUsage(store, "acme", range);
    expect(days.map(({ storedBytes }) => storedBytes)).toEqual([0, 7, 7, 3, 3]);
    const [month] = await reportUsage(store, "acme", { ...range, granularity: "month" });
    expect(month.storedBytes).toBe(3);
  });
});
