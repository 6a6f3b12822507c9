import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { withS3 } from "../support/s3-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { digestOf, FOLLOW } from "./jobs.ts";
import {
  ADMIN_KEY,
  FEW_LABELS,
  PURIFY,
  purifyQuickly,
  quickPurification,
  startTestServer,
  type TestServer,
  ZOO,
} from "./server.ts";

const RETENTION_HOURS = 48;

const CREATE = `mutation ($input: CreateDatasetInput!) {
  createDataset(input: $input) { dataset { digest } userErrors { message } }
}`;
const DELETE = "mutation ($id: ID!) { deleteDataset(datasetId: $id) { userErrors { message } } }";
const CANCEL = "mutation ($id: ID!) { cancelJob(id: $id) { userErrors { message } } }";
const RESUME = "mutation ($id: ID!) { resumeJob(id: $id) { userErrors { message } } }";
const CLASSIFY = `query ($image: String!) {
  classify(input: { images: [{ base64: $image }], topK: 1, through: { alias: { promptSet: "learned", alias: "live" } } }) {
    results { ... on Prediction { labels { label } } }
  }
}`;

const s3 = withS3();

/** Where a server of this data folder has its blobs. */
interface Place {
  readonly name: string;
  readonly variables: () => Record<string, string>;
  /** What lies there and is named by its digest. */
  readonly stored: (dataFolder: string) => string;
  readonly root: (dataFolder: string) => string;
}

const PLACES: readonly Place[] = [
  {
    name: "the data folder",
    variables: () => ({}),
    stored: (dataFolder) => join(dataFolder, "blobs"),
    root: (dataFolder) => join(dataFolder, "blobs"),
  },
  {
    name: "a bucket",
    variables: () => s3().variables,
    stored: () => s3().path("blobs"),
    root: () => s3().path("."),
  },
];

/** A picture in bytes of its own, which only the data sets of this test have: decoders stop before the note. */
const picture = (label: string, index: number, note: string): Buffer =>
  Buffer.concat([readFileSync(join(ZOO, "shots", label, `0${index}.png`)), Buffer.from(note)]);
const shots = (note: string): [label: string, image: Buffer][] =>
  FEW_LABELS.flatMap((label) =>
    [0, 1].map((index): [string, Buffer] => [label, picture(label, index, note)]),
  );

const hexOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const hexesOf = (images: readonly [label: string, image: Buffer][]) =>
  images.map(([, image]) => hexOf(image));

describe.each(PLACES)("with blobs in $name", ({ variables, stored, root }) => {
  const dataFolder = temporaryFolder();
  const aside = () => join(root(dataFolder), "aside");
  const start = () =>
    startTestServer({
      DATA_DIR: dataFolder,
      BLOB_RETENTION_HOURS: String(RETENTION_HOURS),
      ...variables(),
    });

  /** Stops a server, has its files become older by more than the retention, and waits until the next one has swept. */
  async function later(server: TestServer): Promise<TestServer> {
    await server.close();
    for (const folder of new Set([root(dataFolder), join(dataFolder, "blobs")]))
      for (const path of filesIn(folder)) makeOlder(path);
    const next = await start();
    await until(() => next.log.some((line) => line.includes("blobs that no record names were swept")), 20);
    return next;
  }

  test("what only a deleted data set had goes in two steps; what anybody needs stays", async () => {
    let server = await start();
    const owner = await server.tenant("owner", ["DATASETS_WRITE"]);
    const other = await server.tenant("other", ["DATASETS_WRITE"]);
    /** The hexadecimal digits of the list that was made. */
    const create = async (name: string, images: readonly [string, Buffer][], key = ADMIN_KEY) => {
      const list = images.map(([label, bytes]) => ({ label, image: { base64: bytes.toString("base64") } }));
      const { data } = await server.ask(CREATE, { input: { name, examples: { list } } }, { key });
      expect(data.createDataset.userErrors).toEqual([]);
      return data.createDataset.dataset.digest.slice("sha256:".length) as string;
    };
    const [alone, shared] = [shots("alone"), shots("shared")];
    const [learned, resumable] = [shots("learned"), shots("resumable")];
    const deletedList = await create("deleted", [...alone, ...shared], owner);
    await create("kept", shared, other);
    const learnedList = await create("learned", learned);
    await create("resumable", resumable);

    const version = await purifyQuickly(server, "learned", "learned", { datasetId: "dataset_learned" });
    const path = `/artifacts/${version.replace("version_", "")}`;
    const download = async () => {
      const response = await server.fetch(path, { headers: { authorization: `Bearer ${ADMIN_KEY}` } });
      return Buffer.from(await response.arrayBuffer());
    };
    const artifact = await download();
    const job = await cancelledWhileItWaits(server, "dataset_resumable");
    await server.ask(DELETE, { id: "dataset_deleted" }, { key: owner });
    for (const name of ["learned", "resumable"]) await server.ask(DELETE, { id: `dataset_${name}` });

    const before = filesIn(stored(dataFolder)).map((file) => basename(file));
    const gone = [...hexesOf(alone), ...hexesOf(learned), deletedList, learnedList].sort();
    expect(before).toEqual(expect.arrayContaining([...gone, ...hexesOf(shared), ...hexesOf(resumable)]));

    server = await later(server);
    expect(hexesIn(aside())).toEqual(gone);
    server = await later(server);
    expect(hexesIn(aside())).toEqual([]);
    const after = new Set(hexesIn(stored(dataFolder)));
    expect(hexesIn(stored(dataFolder)).filter((hex) => gone.includes(hex))).toEqual([]);
    const lost = before.filter((name) => !after.has(name) && /^[0-9a-f]{64}$/.test(name));
    expect(lost.sort()).toEqual(gone);
    // A bucket's copies on this machine's disk go right after.
    await until(() => !hexesIn(join(dataFolder, "blobs")).some((hex) => gone.includes(hex)), 20);
    const metrics = await (await server.fetch("/metrics")).text();
    expect(metrics).toMatch(/^antidote_blob_bytes_total\{step="removed"\} [1-9]/m);

    // All that is left works: prompts whose data set is gone, a job whose images only it has, the demo's own.
    expect(await download()).toEqual(artifact);
    const image = picture(FEW_LABELS[0], 0, "").toString("base64");
    const answer = await server.ask(CLASSIFY, { image });
    expect(answer.data.classify.results[0].labels).toHaveLength(1);
    expect((await server.ask(RESUME, { id: job })).data.resumeJob.userErrors).toEqual([]);
    await server.follow(FOLLOW, { id: job });
    expect(await digestOf(server, job)).toMatch(/^sha256:/);
    await server.close();
  });
});

/** The id of a job that never began, because it was cancelled behind another. */
async function cancelledWhileItWaits(server: TestServer, datasetId: string): Promise<string> {
  const begin = async (input: object, key: string) =>
    (await server.ask(PURIFY, { input, key })).data.purify.job.id as string;
  const long = await begin({ ...quickPurification("long"), epochs: 200 }, "long");
  const job = await begin({ ...quickPurification("resumed"), datasetId }, "resumed");
  for (const id of [job, long]) {
    expect((await server.ask(CANCEL, { id })).data.cancelJob.userErrors).toEqual([]);
    await server.follow(FOLLOW, { id });
  }
  return job;
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

/** The digests that files are named by, in their order. */
const hexesIn = (folder: string): string[] =>
  filesIn(folder)
    .map((path) => basename(path))
    .filter((name) => /^[0-9a-f]{64}$/.test(name))
    .sort();

function makeOlder(path: string): void {
  const seconds = statSync(path).mtimeMs / 1000 - (RETENTION_HOURS + 1) * 3600;
  utimesSync(path, seconds, seconds);
}
