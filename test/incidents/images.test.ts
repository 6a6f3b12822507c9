/** What images have done to other servers. */

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import sharp from "sharp";
import { Antidote } from "../../client/index.ts";
import { seededRandom } from "../../zoo/scenes/random.ts";
import { ADMIN_KEY, startTestServer, type TestServer, ZOO } from "../app/server.ts";

let server: TestServer;
let antidote: Antidote;

beforeAll(async () => {
  server = await startTestServer();
  antidote = new Antidote({ url: server.app.url, key: ADMIN_KEY });
});

const undefended = {
  modelId: "model_scenes-badnet",
  through: { templates: [] },
  labels: ["house", "cat"],
  topK: 1,
};

const house = sharp(join(ZOO, "samples/house.png"));
const ENCODINGS = {
  png: () => house.clone().png().toBuffer(),
  jpeg: () => house.clone().jpeg().toBuffer(),
  webp: () => house.clone().webp().toBuffer(),
};

describe("an image of one pixel, which crashed a server", () => {
  const pixel = () => sharp({ create: { width: 1, height: 1, channels: 3, background: "#345" } });

  test.each<[string, () => Promise<Buffer>]>([
    ["PNG", () => pixel().png().toBuffer()],
    ["JPEG", () => pixel().jpeg().toBuffer()],
    ["WebP", () => pixel().webp().toBuffer()],
    ["PNG of a thousand by one", () => pixel().resize(1000, 1).png().toBuffer()],
  ])("is answered like any other: %s", async (_type, encode) => {
    const bytes = await encode();
    const images = [bytes, { base64: bytes.toString("base64") }, { path: join(ZOO, "samples/house.png") }];
    const { results } = await antidote.classify(images, undefended);
    expect(results.map(({ __typename }) => __typename)).toEqual(["Prediction", "Prediction", "Prediction"]);
    expect(results[2]).toMatchObject({ labels: [{ label: "house" }] });
  });
});

describe("a decoder's error, which told an address in the server's memory", () => {
  /** All that is ever said of an image. */
  const OUR_WORDS = [
    /^The (PNG|JPEG|WebP) is damaged or incomplete\. Export it again\.$/,
    /^The image is not a JPEG, PNG or WebP\.$/,
    /^The image has \d+ × \d+ pixels; /,
    /^The image is in CMYK colours\. Convert it to RGB\.$/,
  ];

  test.each(Object.entries(ENCODINGS))(
    "is never passed on, however a %s is damaged",
    async (_type, encode) => {
      const whole = await encode();
      const random = seededRandom(5);
      const damaged = Array.from({ length: 120 }, (_, index) => {
        const bytes = Buffer.from(whole);
        for (let wound = 0; wound <= index % 8; wound++)
          bytes[12 + Math.floor(random() * (bytes.length - 12))] = Math.floor(random() * 256);
        return index % 5 === 0 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : bytes;
      });
      const { results } = await antidote.classify(damaged, undefended);
      const messages = results.flatMap((result) =>
        result.__typename === "ImageRejected" ? [result.message] : [],
      );
      expect(messages.length).toBeGreaterThan(10);
      expect(messages.filter((message) => !OUR_WORDS.some((words) => words.test(message)))).toEqual([]);
    },
  );
});

describe("an image's address, which made a server ask its own network", () => {
  const asked: string[] = [];
  const secret = createServer((request, response) => {
    asked.push(request.url ?? "");
    response.end(readFileSync(join(ZOO, "samples/house.png")));
  });
  let address: string;

  beforeAll(async () => {
    await new Promise<void>((resolve) => secret.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(secret.address() as AddressInfo).port}/secret`;
  });
  afterAll(() => void secret.close());

  const CLASSIFY = "query ($input: ClassifyInput!) { classify(input: $input) { results { __typename } } }";

  test("is nothing that an image can be", async () => {
    for (const image of [{ url: address }, { uri: address }, { upload: address }, { path: address }]) {
      const { errors } = await server.ask(CLASSIFY, { input: { ...undefended, images: [image] } });
      expect(errors?.[0].extensions.code).toBe("BAD_USER_INPUT");
    }
  });

  test("is only text where text is taken", async () => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="${address}"/></svg>`;
    const images = [
      { base64: address },
      { base64: `data:image/png;base64,${address}` },
      { assetId: address },
      Buffer.from(svg),
      Buffer.from(address),
    ];
    const { results } = await antidote.classify(images, undefended);
    expect(new Set(results.map(({ __typename }) => __typename))).toEqual(new Set(["ImageRejected"]));
  });

  test("is not the address of a webhook either", async () => {
    const { data } = await server.ask(
      "mutation ($url: String!) { createWebhook(url: $url, events: [JOB_SUCCEEDED]) { webhook { id } userErrors { code } } }",
      { url: address },
    );
    expect(data.createWebhook).toMatchObject({ webhook: null, userErrors: [{ code: expect.any(String) }] });
  });

  test("was never asked for anything", () => {
    expect(asked).toEqual([]);
  });
});
