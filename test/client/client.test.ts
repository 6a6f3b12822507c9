import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { parse, validate } from "graphql";
import * as documents from "../../client/documents.ts";
import { Antidote, type AntidoteOptions, type ImageSource } from "../../client/index.ts";
import { createSchema } from "../../src/resolvers/schema.ts";
import {
  ADMIN_KEY,
  FEW_LABELS,
  quickPurification,
  startTestServer,
  type TestServer,
  ZOO,
} from "../app/server.ts";

let server: TestServer;
let antidote: Antidote;

/** Waits of tests are short. */
const clientOf = (options: Partial<AntidoteOptions> = {}) =>
  new Antidote({
    url: server.app.url,
    key: ADMIN_KEY,
    ...options,
    retry: { baseMs: 5, longestMs: 2000, ...options.retry },
  });

beforeAll(async () => {
  server = await startTestServer();
  antidote = clientOf();
});

const house = join(ZOO, "samples/house.png");
const undefended = {
  modelId: "model_scenes-badnet",
  through: { templates: [] },
  labels: ["house", "cat"],
  topK: 1,
};

describe("classify", () => {
  const bytes = readFileSync(house);
  test.each<[string, ImageSource]>([
    ["bytes", bytes],
    ["a Blob", new Blob([new Uint8Array(bytes)])],
    ["the path of a file", { path: house }],
    ["base64", { base64: bytes.toString("base64") }],
    ["a sample of the server's", { assetId: "asset_house" }],
  ])("takes %s", async (_kind, image) => {
    const { results, served, model, timing } = await antidote.classify(image, undefended);
    expect(results).toMatchObject([{ __typename: "Prediction", index: 0, labels: [{ label: "house" }] }]);
    expect(served).toBeNull();
    expect(model).toEqual({ id: "model_scenes-badnet", name: "scenes-badnet" });
    expect(timing).toEqual({
      queueMs: expect.any(Number),
      preprocessMs: expect.any(Number),
      inferMs: expect.any(Number),
      batchSize: expect.any(Number),
    });
  });

  test("takes many, of any kinds, and answers each in its place", async () => {
    const images = [{ path: house }, Buffer.from("no image"), { assetId: "asset_cat" }];
    const { results } = await antidote.classify(images, undefended);
    expect(results).toMatchObject([
      { __typename: "Prediction", labels: [{ label: "house" }] },
      { __typename: "ImageRejected", index: 1, code: "UNSUPPORTED_TYPE" },
      { __typename: "Prediction", labels: [{ label: "cat" }] },
    ]);
  });
});

describe("a story", () => {
  test("from shots over a purification to a move and a measurement", async () => {
    const shots = FEW_LABELS.flatMap((label) =>
      [0, 1].map((index) => ({ label, image: { path: join(ZOO, `shots/${label}/0${index}.png`) } })),
    );
    const { dataset, rejected } = await antidote.createDataset("told", [
      ...shots,
      { label: "house", image: Buffer.from("no image") },
    ]);
    expect(dataset).toMatchObject({ name: "told", labels: FEW_LABELS, size: 6 });
    expect(rejected).toMatchObject([{ source: "list[6]" }]);
    expect((await antidote.addExamples(dataset.id, shots)).dataset.digest).toBe(dataset.digest);

    const { promptSet, ...quick } = { ...quickPurification("told"), datasetId: dataset.id };
    const job = await antidote.purify({ promptSet, ...quick });
    const { version, audit, gate } = await job.result();
    expect(version).toMatchObject({ number: 1, labels: FEW_LABELS });
    expect(audit?.classes).toHaveLength(3);
    expect(gate?.alias).toBe("live");
    expect(await (await antidote.job(job.id)).state()).toMatchObject({ status: "SUCCEEDED", progress: 1 });

    const { served } = await antidote.classify(
      { assetId: "asset_house" },
      { through: { versionId: version.id } },
    );
    expect(served).toEqual(version);
    const moved = await antidote.moveAlias({
      promptSet: "told",
      alias: "tried",
      to: version.id,
      reason: "to try it",
    });
    expect(moved).toEqual({ name: "tried", version });

    const attack = { kind: "BADNET", target: "banana" } as const;
    const through = { alias: { promptSet: "told", alias: "tried" } };
    const measuring = await antidote.evaluate({
      modelId: quick.modelId,
      datasetId: dataset.id,
      through,
      attack,
    });
    expect(await measuring.result()).toMatchObject({ target: "banana", ca: { n: 6 }, asr: { n: 4 } });
  });

  test("of a job of a kind that the client does not begin", async () => {
    const input = {
      modelId: "model_scenes-badnet",
      datasetId: "dataset_scenes-shots",
      labels: FEW_LABELS,
      shots: 2,
      promptSet: "defended",
      defence: "COOP",
      parameters: { epochs: 1 },
    };
    const { defend } = await antidote.request<{ defend: { job: { id: string } } }>(
      `mutation ($input: DefendInput!) { defend(input: $input, idempotencyKey: "coop") { job { id } } }`,
      { input },
    );
    const made = await (await antidote.job(defend.job.id)).result();
    expect(made).toMatchObject({ __typename: "PromptVersion", number: 1, labels: FEW_LABELS });
  });

  test("of a job that is cancelled and goes on", async () => {
    const { promptSet: _, ...search } = quickPurification("");
    const job = await antidote.audit(search);
    await job.cancel();
    await expect(job.result()).rejects.toMatchObject({ name: "AntidoteError", code: "CANCELLED" });
    await job.resume();
    const found = await job.result();
    expect(found.classes.map(({ label }) => label).sort()).toEqual(FEW_LABELS);
  });
});

describe("models and datasets", () => {
  test("are listed, so many as are asked for", async () => {
    const models = await antidote.models();
    expect(models.length).toBeGreaterThan(1);
    const suspect = models.find(({ id }) => id === undefended.modelId);
    expect(suspect).toMatchObject({ name: "scenes-badnet", trust: "SUSPECT", warnings: [] });
    expect(await antidote.models({ first: 1 })).toHaveLength(1);
    expect(await antidote.datasets({ first: 100 })).toContainEqual(
      expect.objectContaining({
        id: "dataset_scenes-shots",
        name: "scenes-shots",
        labels: expect.any(Array),
      }),
    );
  });

  test("a model is registered by its folder, and one that is not there is refused", async () => {
    const [known] = (await antidote.models()).filter(({ id }) => id === undefended.modelId);
    expect(await antidote.registerModel(known.name, { trust: "SUSPECT" })).toEqual(known);
    await expect(antidote.registerModel("nowhere")).rejects.toMatchObject({
      name: "AntidoteError",
      code: "NOT_FOUND",
    });
  });
});

describe("what fails", () => {
  test.each<[string, () => Promise<unknown>, object]>([
    [
      "a key that is not valid",
      () => clientOf({ key: "nobody" }).request("{ __typename }"),
      { code: "UNAUTHENTICATED", retryable: false, requestId: expect.stringMatching(/^[\w-]+$/) },
    ],
    ["a job that is not there", () => antidote.job("job_unknown"), { code: "NOT_FOUND" }],
    [
      "a name that is taken",
      () => antidote.createDataset("scenes-shots", [{ label: "x", image: { path: house } }]),
      { code: "VALIDATION_FAILED", retryable: false },
    ],
    [
      "an idempotency key with other input",
      async () => {
        const given = { idempotencyKey: "one" };
        const first = await antidote.purify(quickPurification("one"), given);
        expect(await antidote.purify(quickPurification("one"), given)).toMatchObject({
          id: first.id,
          replayed: true,
        });
        await first.cancel();
        return antidote.purify(quickPurification("two"), given);
      },
      { code: "IDEMPOTENCY_CONFLICT" },
    ],
    [
      "an address where something else is",
      () => clientOf({ url: `${server.app.url}/playground` }).request("{ __typename }"),
      { code: "INVALID_ANSWER", message: expect.stringContaining("Is the address right?") },
    ],
    [
      "an address where nothing is",
      () => clientOf({ url: "http://127.0.0.1:9", retry: { attempts: 2 } }).request("{ __typename }"),
      { code: "CONNECTION_LOST", retryable: true },
    ],
  ])("%s is told as a typed error", async (_what, perform, expected) => {
    await expect(perform()).rejects.toMatchObject({ name: "AntidoteError", ...expected });
  });

  test("a tenant that has spent its units is told how long to wait, and waits no longer than it wants to", async () => {
    const poor = await startTestServer({ RATE_LIMIT: "100" });
    const client = new Antidote({ url: poor.app.url, key: ADMIN_KEY, retry: { longestMs: 1 } });
    const costly = "{ jobs(first: 60) { id } }";
    await client.request(costly);
    const error = await client.request(costly).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: "THROTTLED", retryable: true, retryAfterMs: expect.any(Number) });
  });

  test("signals end calls, waits and events with their own reason, and leave the job alone", async () => {
    const reason = new Error("enough");
    await expect(antidote.classify({ path: house }, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    const job = await antidote.purify({ ...quickPurification("left"), epochs: 2000 });
    const leaving = new AbortController();
    const following = (async () => {
      for await (const event of job.events({ signal: leaving.signal }))
        if (event.__typename === "StepMetrics") leaving.abort(reason);
    })();
    await expect(following).rejects.toBe(reason);
    expect((await job.state()).finishedAt).toBeNull();
    await job.cancel();
  });
});

describe("a request that fails on the way", () => {
  const overloadedWith = (details: object) => () =>
    Response.json(
      {
        errors: [
          {
            message: "Full.",
            extensions: { code: "OVERLOADED", retryable: true, retryAfterMs: 3, ...details },
          },
        ],
      },
      { status: 503 },
    );
  const overloaded = overloadedWith({});

  /** A way on which the first requests meet something else than the server; counts all. */
  function way(...first: (() => Response)[]) {
    const seen = { requests: 0 };
    const through: typeof fetch = async (...request) => {
      const other = first[seen.requests++];
      return other ? other() : fetch(...request);
    };
    return { client: clientOf({ fetch: through }), seen };
  }

  const example = [{ label: "x", image: { path: house } }];
  const broken = (): Response => {
    throw new TypeError("fetch failed");
  };

  test("for the server's load comes again after the wait that it asks for, whatever it is", async () => {
    const { client, seen } = way(overloaded, overloaded);
    expect((await client.createDataset("again", example)).dataset.size).toBe(1);
    expect(seen.requests).toBe(3);
  });

  test("after which it may have been done comes again only where twice does no harm", async () => {
    const unknown = overloadedWith({ outcome: "unknown" });
    const twice = way(unknown);
    await expect(twice.client.createDataset("twice", example)).rejects.toMatchObject({ code: "OVERLOADED" });
    expect(twice.seen.requests).toBe(1);
    const job = way(unknown);
    expect((await job.client.purify(quickPurification("twice"))).replayed).toBe(false);
    expect(job.seen.requests).toBe(2);
  });

  test("comes again with the same key, so that there is one job", async () => {
    const proxy = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
    const { client, seen } = way(overloaded, broken, proxy);
    const job = await client.purify(quickPurification("on-the-way"));
    expect(job.replayed).toBe(false);
    expect(seen.requests).toBe(4);
    await job.cancel();
  });

  test("does not come again when it may have been done, and a second time would do harm", async () => {
    const { client, seen } = way(broken);
    await expect(client.createDataset("lost", example)).rejects.toMatchObject({ code: "CONNECTION_LOST" });
    expect(seen.requests).toBe(1);
  });
});

describe("the package", () => {
  const schema = createSchema();

  test.each(Object.entries(documents))("asks for what the schema has: %s", (_name, document) => {
    expect(validate(schema, parse(document))).toEqual([]);
  });

  test("is imported by its name", async () => {
    const script = `
      import { Antidote, AntidoteError } from "antidote/client";
      const antidote = new Antidote({ url: process.argv[1], key: process.argv[2] });
      const { results } = await antidote.classify({ assetId: "asset_house" }, ${JSON.stringify(undefended)});
      const job = await antidote.job("job_unknown").catch((error) => error instanceof AntidoteError && error.code);
      console.log(results[0].labels[0].label, job);`;
    const args = ["--input-type=module", "-e", script, server.app.url, ADMIN_KEY];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: join(__dirname, "../..") });
    expect(stdout.trim()).toBe("house NOT_FOUND");
  });
});
