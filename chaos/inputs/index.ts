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
    const { process, url, client } = fleet.servers[0];
    const target: Target = { url, key: fleet.key, images: await sampleImages() };
    await client.classify({ assetId: "cat" }, { modelId: "model_scenes-badnet" }).catch(() => {});
    const before = await process.memory();
    const rows: Row[] = [];
    const kinds = Object.entries(REQUESTS);
    for (const [place, [what, [share, attempt]]] of kinds.entries()) {
      const count = Math.ceil(share * options.inputs);
      const violations = await tryAll(
        count,
        options.seed,
        what,
        (random) => attempt(target, random),
        (done) => report((place + done) / kinds.length),
      );
      rows.push({ what, count, violations: [...violations, ...(await silence(url))] });
    }
    const after = await process.memory();
    const grown = after !== undefined && before !== undefined && after - before > GROWTH;
    const note = `memory of the server ${inMegabytes(before)} → ${inMegabytes(after)}`;
    const violations = [...fleet.crashes(), ...(grown ? [note] : [])];
    return [...rows, { what: "servers watched meanwhile", count: fleet.servers.length, violations, note }];
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
  attempt: (random: ReturnType<typeof randomStream>) => Promise<string | undefined>,
  report: Report,
): Promise<string[]> {
  const violations: string[] = [];
  for (let index = 0; index < count; index++) {
    const wrong = await attempt(randomStream(seed, what, index));
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
