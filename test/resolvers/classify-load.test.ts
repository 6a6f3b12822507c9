/** What `classify` does when there is more to do than can be done, or when nobody waits for it any more. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { ADMIN_KEY, startTestServer, type TestServer, ZOO } from "../app/server.ts";

const CLASSIFY = `query ($input: ClassifyInput!) {
  classify(input: $input) {
    timing { batchSize queueMs preprocessMs inferMs }
    results { ... on Prediction { cached labels { label probability } } ... on ImageRejected { code } }
  }
}`;

const TEMPLATES = {
  modelId: "model_scenes-badnet",
  through: { templates: [] },
  labels: ["boat", "house", "tree"],
};

/** Large enough that decoding it takes a while, and different for each seed. */
async function largeImage(seed: number, side = 2400): Promise<string> {
  const background = { r: seed % 256, g: 100, b: 50 };
  const image = sharp({ create: { width: side, height: side, channels: 3, background } });
  return (await image.jpeg().toBuffer()).toString("base64");
}

const largeImages = (count: number, firstSeed: number, side?: number) =>
  Promise.all(Array.from({ length: count }, (_, index) => largeImage(firstSeed + index, side)));

let server: TestServer;
let narrow: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  narrow = await startTestServer({
    MAX_WAITING_IMAGES: "1",
    MAX_CLASSIFY_IMAGES: "4",
    EMBEDDING_CACHE_MB: "0",
  });
  await Promise.all([load(server), load(narrow)]);
});

const classify = (
  images: readonly string[],
  { input = {}, call = {}, at = server }: { input?: object; call?: { key?: string }; at?: TestServer } = {},
) =>
  at.ask(CLASSIFY, { input: { ...TEMPLATES, images: images.map((base64) => ({ base64 })), ...input } }, call);

/** The sum over a metric's labels. */
async function metric(at: TestServer, name: string): Promise<number> {
  const page = await (await at.fetch("/metrics")).text();
  const lines = page.split("\n").filter((line) => line.split(/[ {]/)[0] === name);
  expect(lines).not.toEqual([]);
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

const waitingImages = (at: TestServer) => metric(at, "antidote_waiting_images");
const encodedImages = () => metric(server, "antidote_batch_images_sum");

async function untilWaiting(at: TestServer, enough: (count: number) => boolean): Promise<void> {
  while (!enough(await waitingImages(at))) await delay(5);
}

/** A small image, which has the model loaded when it is answered. */
const load = (at: TestServer) =>
  classify([readFileSync(join(ZOO, "samples/boat.png")).toString("base64")], { at });

describe("classify under load", () => {
  test("an image that two tenants send at the same time is encoded once, and cached for neither by the other", async () => {
    const key = await server.tenant("other", ["CLASSIFY"]);
    const image = await largeImage(1);
    const before = await encodedImages();
    const [mine, theirs] = await Promise.all([classify([image]), classify([image], { call: { key } })]);
    expect(mine.data.classify.results).toEqual(theirs.data.classify.results);
    expect(mine.data.classify.results[0].cached).toBe(false);
    expect(theirs.data.classify.results[0].cached).toBe(false);
    expect((await encodedImages()) - before).toBe(1);
    expect((await classify([image], { call: { key } })).data.classify.results[0].cached).toBe(true);
  });

  test("a cache without room keeps nothing", async () => {
    expect((await load(narrow)).data.classify.results[0].cached).toBe(false);
    expect((await load(server)).data.classify.results[0].cached).toBe(true);
  });

  test("what would wait too long is refused at once, and told when to come back", async () => {
    const many = await largeImages(4, 2, 6000);
    const admitted = classify(many, { at: narrow });
    await untilWaiting(narrow, (count) => count > 0);
    const refused = await Promise.all([classify(many, { at: narrow }), classify(many, { at: narrow })]);
    for (const { data, errors } of refused) {
      expect(data).toBeNull();
      expect(errors?.[0].extensions).toMatchObject({
        code: "OVERLOADED",
        retryable: true,
        retryAfterMs: expect.any(Number),
      });
    }
    expect((await admitted).data.classify.results).toHaveLength(4);
  });

  test("past its deadline a request fails, and its images are not begun", async () => {
    const images = await largeImages(6, 10);
    const before = await encodedImages();
    const { data, errors } = await classify(images, { input: { deadlineMs: 20 } });
    expect(data).toBeNull();
    expect(errors?.[0].extensions).toMatchObject({
      code: "DEADLINE_EXCEEDED",
      retryable: true,
      deadlineMs: 20,
    });
    await untilWaiting(server, (count) => count === 0);
    expect((await encodedImages()) - before).toBeLessThan(3);
    const { errors: wrong } = await classify(images.slice(0, 1), { input: { deadlineMs: 0 } });
    expect(wrong?.[0].extensions.code).toBe("VALIDATION_FAILED");
    expect((await classify(images.slice(0, 1), { input: { deadlineMs: 60_000 } })).errors).toBeUndefined();
  });

  test("when the caller goes, what waits leaves the queue", async () => {
    const images = await largeImages(32, 40);
    const before = await encodedImages();
    const gone = new AbortController();
    const input = { ...TEMPLATES, images: images.map((base64) => ({ base64 })) };
    const call = server.fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_KEY}` },
      body: JSON.stringify({ query: CLASSIFY, variables: { input } }),
      signal: gone.signal,
    });
    await untilWaiting(server, (count) => count > 16);
    gone.abort();
    await expect(call).rejects.toThrow();
    // Had they stayed, this image would have come after them.
    await classify([readFileSync(join(ZOO, "samples/tree.png")).toString("base64")]);
    expect((await encodedImages()) - before).toBeLessThan(24);
  });
});
