/** What `classify` does when there is more to do than can be done, or when nobody waits for it any more. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { createClient } from "graphql-ws";
import sharp from "sharp";
import { WebSocket } from "ws";
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

/** Takes a while to decode, so that what waits behind several is seen to wait. */
const slowImage = sharp({ create: { width: 2400, height: 2400, channels: 3, background: "#5a3" } })
  .jpeg({ progressive: true })
  .toBuffer();
let made = 0;

/** Images that are all different: decoders do not look at what comes after an image's end. */
const slowImages = async (count: number): Promise<string[]> => {
  const image = await slowImage;
  return Array.from({ length: count }, () =>
    Buffer.concat([image, Buffer.from(`${++made}`)]).toString("base64"),
  );
};

let server: TestServer;
let narrow: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  narrow = await startTestServer({
    MAX_WAITING_IMAGES: "1",
    MAX_CLASSIFY_IMAGES: "8",
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
  while (!enough(await waitingImages(at))) await delay(20);
}

/** A small image, which has the model loaded when it is answered. */
const load = (at: TestServer) =>
  classify([readFileSync(join(ZOO, "samples/boat.png")).toString("base64")], { at });

/** Each begins a call, and gives what leaves it before it is answered. */
const WAYS_TO_LEAVE: Record<string, (variables: { input: object }) => () => Promise<void>> = {
  "when the caller gives up a request": (variables) => {
    const gone = new AbortController();
    const call = server.fetch("/graphql", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_KEY}` },
      body: JSON.stringify({ query: CLASSIFY, variables }),
      signal: gone.signal,
    });
    return async () => {
      gone.abort();
      await expect(call).rejects.toThrow();
    };
  },
  "when an operation over WebSocket is completed by its caller": (variables) => {
    const { client, answers } = overSocket(variables);
    const answer = answers.next();
    return async () => {
      await answers.return?.();
      expect(await answer).toEqual({ done: true, value: undefined });
      await client.dispose();
    };
  },
  "when a WebSocket is cut": (variables) => {
    const { client, answers } = overSocket(variables);
    const answer = answers.next();
    return async () => {
      client.terminate();
      await expect(answer).rejects.toMatchObject({ code: 4499 });
    };
  },
};

function overSocket(variables: Record<string, unknown>) {
  const client = createClient({
    url: `${server.app.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${ADMIN_KEY}` },
    retryAttempts: 0,
  });
  return { client, answers: client.iterate({ query: CLASSIFY, variables }) };
}

describe("classify under load", () => {
  test("an image that two tenants send at the same time is encoded once, and cached for neither by the other", async () => {
    const key = await server.tenant("other", ["CLASSIFY"]);
    const [image] = await slowImages(1);
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
    const many = await slowImages(8);
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
    expect((await admitted).data.classify.results).toHaveLength(8);
  });

  test("past its deadline a request fails, and its images are not begun", async () => {
    const images = await slowImages(6);
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

  test.each(Object.entries(WAYS_TO_LEAVE))("%s, what waits leaves the queue", async (_, begin) => {
    const images = await slowImages(24);
    const [last] = await slowImages(1);
    const before = await encodedImages();
    const leave = begin({ input: { ...TEMPLATES, images: images.map((base64) => ({ base64 })) } });
    await untilWaiting(server, (count) => count > 8);
    await leave();
    // Had they stayed, this image would have come after them.
    await classify([last]);
    expect((await encodedImages()) - before).toBeLessThan(20);
  });
});
