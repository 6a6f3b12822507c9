import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { startTestServer, type TestServer, ZOO } from "../app/server.ts";
import { zip } from "../support/zip.ts";

const CREATE = `mutation ($input: CreateDatasetInput!) {
  createDataset(input: $input) {
    dataset { id name labels size digest classes { label images } }
    rejected { source message }
    userErrors { code message }
  }
}`;

const ADD = `mutation ($id: ID!, $examples: ExamplesInput!) {
  addExamples(datasetId: $id, examples: $examples) {
    dataset { labels size digest }
    rejected { source }
    userErrors { code }
  }
}`;

const shot = (label: string, index: number) => readFileSync(join(ZOO, "shots", label, `0${index}.png`));
const base64 = (label: string, index: number) => ({
  label,
  image: { base64: shot(label, index).toString("base64") },
});

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer({ MAX_DATASET_IMAGES: "400" });
});

const create = async (name: string, examples: object) =>
  (await server.ask(CREATE, { input: { name, examples } })).data.createDataset;

describe("the demo tenant's shots", () => {
  test("are there from the first start", async () => {
    const { data } = await server.ask(`{ dataset(name: "scenes-shots") { size classes { images } } }`);
    expect(data.dataset.size).toBe(320);
    expect(data.dataset.classes).toEqual(Array.from({ length: 20 }, () => ({ images: 16 })));
  });
});

describe("a data set", () => {
  test("is made of a list, without what cannot be used", async () => {
    const list = [
      base64("cat", 0),
      base64("apple", 0),
      { label: "cat", image: { base64: "AAAA" } },
      { label: " ", image: { assetId: "asset_cat" } },
      { label: "cat", image: { assetId: "asset_cat" } },
    ];
    const { dataset, rejected, userErrors } = await create("listed", { list });
    expect(userErrors).toEqual([]);
    expect(dataset).toMatchObject({ id: "dataset_listed", labels: ["cat", "apple"], size: 3 });
    expect(dataset.classes).toEqual([
      { label: "cat", images: 2 },
      { label: "apple", images: 1 },
    ]);
    expect(rejected.map(({ source }: { source: string }) => source)).toEqual(["list[2]", "list[3]"]);
  });

  test("is made of an archive of class folders", async () => {
    const archive = zip([
      { name: "shots/cat/a.png", bytes: shot("cat", 0) },
      { name: "shots/cat/b.png", bytes: shot("cat", 1) },
      { name: "shots/house/a.png", bytes: shot("house", 0) },
      { name: "shots/house/notes.txt", bytes: Buffer.from("text") },
      { name: "shots/house/broken.png", bytes: shot("house", 1).subarray(0, 300) },
      { name: "readme.png", bytes: shot("cat", 2) },
    ]);
    const input = { name: "archived", examples: { archive: null } };
    const response = await server.upload(CREATE, { input }, { "input.examples.archive": archive });
    const { dataset, rejected } = ((await response.json()) as { data: { createDataset: typeof Object } }).data
      .createDataset as unknown as { dataset: object; rejected: { source: string }[] };
    expect(dataset).toMatchObject({ labels: ["cat", "house"], size: 3 });
    expect(rejected.map(({ source }) => source)).toEqual([
      "shots/house/notes.txt",
      "shots/house/broken.png",
      "readme.png",
    ]);
  });

  test("is made of many uploads in whatever order they are named", async () => {
    const input = {
      name: "uploaded",
      examples: { list: [0, 1, 2, 3].map(() => ({ label: "fish", image: { upload: null } })) },
    };
    const files = Object.fromEntries(
      [3, 1, 0, 2].map((index) => [`input.examples.list.${index}.image.upload`, shot("fish", index)]),
    );
    const answer = (await (await server.upload(CREATE, { input }, files)).json()) as {
      data: { createDataset: { dataset: { size: number } } };
    };
    expect(answer.data.createDataset.dataset.size).toBe(4);
  });

  test("takes more examples, none of them twice", async () => {
    const { dataset } = await create("growing", { list: [base64("cat", 0)] });
    const add = async (list: object[]) =>
      (await server.ask(ADD, { id: dataset.id, examples: { list } })).data.addExamples.dataset;
    expect(await add([base64("cat", 0)])).toMatchObject({ size: 1, digest: dataset.digest });
    expect(await add([base64("cat", 1), base64("fish", 1)])).toMatchObject({
      size: 3,
      labels: ["cat", "fish"],
    });
  });

  test("keeps what many add at the same time", async () => {
    const { dataset } = await create("busy", { list: [base64("cup", 0)] });
    await Promise.all(
      [1, 2, 3, 4].map((index) =>
        server.ask(ADD, { id: dataset.id, examples: { list: [base64("cup", index)] } }),
      ),
    );
    const { data } = await server.ask(`{ dataset(name: "busy") { size } }`);
    expect(data.dataset.size).toBe(5);
  });
});

describe("is not made", () => {
  const cat = base64("cat", 0);
  const cases: [string, string, () => object, string][] = [
    ["with the name of another", "scenes-shots", () => ({ list: [cat] }), "VALIDATION_FAILED"],
    ["with a name that is none", "../up", () => ({ list: [cat] }), "VALIDATION_FAILED"],
    ["of nothing", "empty", () => ({ list: [] }), "VALIDATION_FAILED"],
    [
      "of broken images only",
      "broken",
      () => ({ list: [{ label: "x", image: { base64: "AAAA" } }] }),
      "VALIDATION_FAILED",
    ],
    ["of too many", "many", () => ({ list: Array.from({ length: 401 }, () => cat) }), "QUOTA_EXCEEDED"],
  ];

  test.each(cases)("%s", async (_what, name, examples, code) => {
    const { dataset, userErrors } = await create(name, examples());
    expect(dataset).toBeNull();
    expect(userErrors[0].code).toBe(code);
  });

  test("of two kinds of examples at once", async () => {
    const { errors } = await server.ask(CREATE, {
      input: { name: "both", examples: { list: [], archive: null } },
    });
    expect(errors?.[0].message).toContain("Exactly one key must be specified");
  });
});
