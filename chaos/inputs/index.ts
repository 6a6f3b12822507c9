import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { packageRoot } from "../../src/config.ts";
import { randomStream } from "../../src/engine/random.ts";
import { startFleet } from "../fleet.ts";
import { inMegabytes } from "../memory.ts";
import type { ChaosOptions } from "../options.ts";
import type { Part, Report, Row } from "../part.ts";
import { CHECKPOINT_KINDS, CheckpointReader } from "./checkpoints.ts";
import {
  type Attempt,
  eventStream,
  graphqlDocument,
  imageBytes,
  multipartBody,
  type Target,
  webSocketFrame,
} from "./requests.ts";

/** The most that memory may have grown by in the end, in bytes. */
const GROWTH = 256 * 2 ** 20;

/** Of each kind, its share of all inputs. */
const REQUESTS: Readonly<Record<string, readonly [number, Attempt]>> = {
  "GraphQL documents": [0.3, graphqlDocument],
  "multipart bodies": [0.15, multipartBody],
  "images (JPEG, PNG, WebP)": [0.2, imageBytes],
  "WebSocket messages and frames": [0.1, webSocketFrame],
  "requests for event streams": [0.1, eventStream],
};
const CHECKPOINT_SHARE = 0.05;

export const inputs: Part = async (options, report) => {
  const reader = await CheckpointReader.open();
  try {
    const sent = await requests(options, (share) => report(0.85 * share));
    const read = await checkpoints(reader, options, (share) => report(0.85 + 0.15 * share));
    return [...sent, ...read];
  } finally {
    await reader.close();
  }
};

async function requests(options: ChaosOptions, report: Report): Promise<Row[]> {
  const fleet = await startFleet(options.redis);
  try {
    const images = await sampleImages();
    const targets = fleet.servers.map(({ url }): Target => ({ url, key: fleet.key, images }));
    for (const { client } of fleet.servers)
      await client.classify(
        { assetId: "asset_cat" },
        { modelId: "model_scenes-badnet", labels: ["cat", "boat"], through: { templates: [] } },
      );
    const memories = () => Promise.all(fleet.all.map((process) => process.memory()));
    const before = await memories();
    const rows: Row[] = [];
    const kinds = Object.entries(REQUESTS);
    for (const [place, [what, [share, attempt]]] of kinds.entries()) {
      const count = Math.ceil(share * options.inputs);
      const violations = await tryAll(
        count,
        options.seed,
        what,
        // In turns, so that each server meets every kind.
        (random, index) => attempt(targets[index % targets.length], random),
        (done) => report((place + done) / kinds.length),
      );
      const silent = await Promise.all(targets.map(({ url }) => silence(url)));
      rows.push({ what, count, violations: [...violations, ...silent.flat()] });
    }
    const after = await memories();
    const grown = fleet.all.map(({ name }, place): { note: string; isTooMuch: boolean } => {
      const [first, last] = [before[place], after[place]];
      const isTooMuch = first !== undefined && last !== undefined && last - first > GROWTH;
      return { note: `memory of ${name} ${inMegabytes(first)} → ${inMegabytes(last)}`, isTooMuch };
    });
    const note = grown.map(({ note }) => note).join("; ");
    const violations = [
      ...fleet.crashes(),
      ...grown.filter(({ isTooMuch }) => isTooMuch).map(({ note }) => note),
    ];
    return [...rows, { what: "processes watched meanwhile", count: fleet.all.length, violations, note }];
  } finally {
    await fleet.stop();
  }
}

async function checkpoints(
  reader: CheckpointReader,
  { inputs, seed }: ChaosOptions,
  report: Report,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [place, kind] of CHECKPOINT_KINDS.entries()) {
    const count = Math.ceil(CHECKPOINT_SHARE * inputs);
    const violations = await tryAll(
      count,
      seed,
      kind,
      (random) => reader.attempt(kind, random),
      (done) => report((place + done) / CHECKPOINT_KINDS.length),
    );
    rows.push({ what: `checkpoints (${kind})`, count, violations });
  }
  const { first = 0, last = 0 } = reader;
  const note = `memory of the reading process ${inMegabytes(first)} → ${inMegabytes(last)}`;
  rows[rows.length - 1] = { ...rows[rows.length - 1], note };
  if (last - first > GROWTH) rows[rows.length - 1] = { ...rows[rows.length - 1], violations: [note] };
  return rows;
}

/** Each input has a random stream of its own, so that one can be tried again alone. */
async function tryAll(
  count: number,
  seed: number,
  what: string,
  attempt: (random: ReturnType<typeof randomStream>, index: number) => Promise<string | undefined>,
  report: Report,
): Promise<string[]> {
  const violations: string[] = [];
  for (let index = 0; index < count; index++) {
    const wrong = await attempt(randomStream(seed, what, index), index);
    if (wrong !== undefined) violations.push(`Input ${index} of ${what}: ${wrong}`);
    report((index + 1) / count);
  }
  return violations;
}

async function silence(url: string): Promise<string[]> {
  const alive = await fetch(`${url}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );
  return alive ? [] : ["The server no longer answers."];
}

async function sampleImages(): Promise<Buffer[]> {
  const png = await readFile(join(packageRoot, "zoo", "samples", "cat.png"));
  return [png, await sharp(png).jpeg().toBuffer(), await sharp(png).webp().toBuffer()];
}
