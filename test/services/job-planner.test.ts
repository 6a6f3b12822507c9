import { describe, expect, test } from "@jest/globals";
import type { DatasetRecord, StoredExample } from "../../src/services/datasets.ts";
import { JobPlanner } from "../../src/services/job-planner.ts";

type Options = ConstructorParameters<typeof JobPlanner>[0];

/** A planner of one dataset; everything else agrees to all. */
const plannerOf = (dataset: Partial<DatasetRecord>, examples: readonly StoredExample[]) =>
  new JobPlanner({
    models: { get: async () => ({ name: "m", folder: "/m" }) },
    devices: { choose: async () => "cpu" },
    datasets: { get: async () => dataset, examples: async () => examples },
    through: { templates: () => ["a {}"] },
  } as unknown as Options);

const choice = { model: "m", dataset: "d", shots: 2 };

describe("a job's shots", () => {
  test("are the first of each label, by the labels' own order", async () => {
    const examples = ["c0", "a0", "c1", "b0", "c2", "a1"].map((image) => ({
      image,
      label: "abc".indexOf(image[0]),
    }));
    const planner = plannerOf({ labels: ["a", "b", "c"] }, examples);
    const { shots } = await planner.task({ ...choice, labels: ["c", "a"] });
    expect(shots).toEqual([
      { blob: "c0", label: 0 },
      { blob: "c1", label: 0 },
      { blob: "a0", label: 1 },
      { blob: "a1", label: 1 },
    ]);
  });

  test("are chosen in one look at the dataset, however many labels it has", async () => {
    const labels = Array.from({ length: 100 }, (_, index) => `label ${index}`);
    let looks = 0;
    const examples = Array.from({ length: 300 }, (_, index) => ({
      image: String(index),
      get label() {
        looks++;
        return index % labels.length;
      },
    }));
    const { shots } = await plannerOf({ labels }, examples).task(choice);
    expect(shots).toHaveLength(200);
    expect(looks).toBe(300);
  });
});
