import sharp from "sharp";
import { randomStream } from "../src/engine/random.ts";
import { startFleet } from "./fleet.ts";
import type { Part } from "./part.ts";

const AT_ONCE = 4;
const SIDE = 32;
/** Of the requests, those after which memory is expected to be what it stays. */
const WARM = 0.25;
/** The most that memory may grow after that: a share of it, and bytes. */
const GROWTH = { share: 0.1, bytes: 32 * 2 ** 20 };

/** Left to itself, V8 collects garbage the later the more memory a machine has; what is held would not be told from it. */
const HEAP = { NODE_OPTIONS: "--max-old-space-size=150" };

export const inMegabytes = (bytes: number | undefined): string =>
  bytes === undefined ? "unknown" : `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** Images that are all different are classified, one request for each; memory must not grow with their number. */
export const memory: Part = async (options, report) => {
  const fleet = await startFleet(options.redis, HEAP);
  try {
    const { client, process } = fleet.servers[0];
    const failures: string[] = [];
    let next = 0;
    const classifyUntil = async (end: number): Promise<void> => {
      while (next < end) {
        const index = next++;
        const image = await imageOf(options.seed, index);
        const { results } = await client.classify(image, {
          modelId: "model_scenes-badnet",
          labels: ["cat", "boat"],
          through: { templates: [] },
        });
        if (results[0].__typename !== "Prediction") failures.push(JSON.stringify(results[0]));
        report(next / options.requests);
      }
    };
    const together = (end: number) => Promise.all(Array.from({ length: AT_ONCE }, () => classifyUntil(end)));
    const start = await process.memory();
    await together(Math.ceil(WARM * options.requests));
    const warm = await process.memory();
    await together(options.requests);
    const end = await process.memory();
    const note = `${inMegabytes(start)} at the start, ${inMegabytes(warm)} after a quarter, ${inMegabytes(end)} at the end`;
    const grown =
      warm !== undefined && end !== undefined && end > warm * (1 + GROWTH.share) + GROWTH.bytes ? [note] : [];
    const violations = [...failures, ...grown, ...fleet.crashes()];
    return [{ what: "images classified, memory watched", count: next, violations, note }];
  } finally {
    await fleet.stop();
  }
};

async function imageOf(seed: number, index: number): Promise<Buffer> {
  const random = randomStream(seed, "image", index);
  const pixels = Uint8Array.from({ length: 3 * SIDE * SIDE }, () => random.below(256));
  return sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toBuffer();
}
