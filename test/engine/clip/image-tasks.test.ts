import { afterAll, expect, test } from "@jest/globals";
import sharp from "sharp";
import { decodeImage } from "../../../src/engine/clip/decoding.ts";
import { type Preprocessing, preprocess } from "../../../src/engine/clip/preprocessing.ts";
import { WorkerPool } from "../../../src/engine/runtime/worker-pool.ts";
import { compiled } from "../../support/compiled.ts";

type ImageTasks = typeof import("../../../src/engine/clip/image-tasks.ts");

const pool = new WorkerPool<ImageTasks>(compiled("src/engine/clip/image-tasks"), { size: 2, capacity: 16 });
afterAll(() => pool.close());

const preprocessing: Preprocessing = {
  size: { height: 8, width: 8 },
  mean: [0, 0, 0],
  std: [1, 1, 1],
  interpolation: "bicubic",
  resizeMode: "shortest",
};
const image = (red: number) =>
  sharp({ create: { width: 20, height: 13, channels: 3, background: { r: red, g: 40, b: 200 } } })
    .png()
    .toBuffer();

test("images prepared in worker threads are as in this one", async () => {
  const images = await Promise.all([0, 60, 120, 250].map(image));
  const there = await Promise.all(images.map((bytes) => pool.run("prepareImage", { bytes, preprocessing })));
  const here = await Promise.all(
    images.map(async (bytes) => preprocess(await decodeImage(bytes), preprocessing)),
  );
  expect(there).toEqual(here);
});

test("a refused image arrives with its reason", async () => {
  const limits = { maxBytes: 1e6, maxPixels: 100, minSide: 1 };
  const refusals = await Promise.allSettled([
    pool.run("prepareImage", { bytes: new Uint8Array([1, 2, 3]), preprocessing }),
    pool.run("prepareImage", { bytes: await image(1), preprocessing, limits }),
    pool.run("prepareImage", { bytes: (await image(1)).subarray(0, 60), preprocessing }),
  ]);
  expect(refusals.map((refusal) => refusal.status === "rejected" && refusal.reason.details.code)).toEqual([
    "UNSUPPORTED_TYPE",
    "TOO_MANY_PIXELS",
    "UNDECODABLE",
  ]);
});
