/**
 * Entry of a process with nothing but a session: the image tower of the model folder named by its first argument, on the
 * device and as many threads as the next two say, for as many seconds as the fourth, on the photographs in the files
 * after them. It measures what it is asked for by messages, and answers each: how many images a second go through the
 * session alone, how many when they are decoded beside it as the server decodes them, and how long a single one takes.
 */
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { imageProgram } from "../../src/engine/clip/programs.ts";
import type { Device } from "../../src/engine/runtime/device.ts";
import { entryPoint } from "../../src/engine/runtime/entry-point.ts";
import { usefulThreads } from "../../src/engine/runtime/useful-threads.ts";
import { WorkerPool } from "../../src/engine/runtime/worker-pool.ts";
import { openWorkerSession } from "../../src/engine/runtime/worker-session.ts";
import { CALM_SHARE } from "./options.ts";

/** What it can be asked for. */
export interface BareMeasures {
  /** Images a second at the best size of batch. */
  readonly alone: number;
  /** The same, with the photographs decoded. */
  readonly decoded: number;
  /** Milliseconds of photographs, each decoded and then run alone, when there is little to do. */
  readonly singles: readonly number[];
  /** The embedding of the first photograph. */
  readonly embedding: readonly number[];
}

/** Of batches; the best is looked for once, before the first measurement. */
const BATCHES = [1, 4, 8, 16];
const SINGLES = 20;
const [folder, device, threadsText, secondsText, ...files] = process.argv.slice(2);
const threads = Number(threadsText);
const seconds = Number(secondsText);

const checkpoint = await openCheckpoint(folder);
const { preprocessing } = checkpoint;
const { height, width } = checkpoint.architecture.image.imageSize;
const program = imageProgram(checkpoint, { batch: "dynamic" });
const session = await openWorkerSession(program, {
  device: device as Device,
  threads: usefulThreads(program, threads),
});
const pool = new WorkerPool<typeof import("../../src/engine/clip/image-tasks.ts")>(
  entryPoint(import.meta.url, "../../src/engine/clip/image-tasks"),
  { size: threads, capacity: 1000 },
);
const photographs = await Promise.all(files.map((file) => readFile(file)));
const decode = (index: number) =>
  pool.run("prepareImage", { bytes: photographs[index % photographs.length], preprocessing });

async function run(parts: readonly Float32Array[]): Promise<Float32Array> {
  const pixels = { type: "float32", shape: [parts.length, 3, height, width], parts } as const;
  return (await session.run({ pixels }, ["embedding"])).embedding.data as Float32Array;
}

/** Images a second of a step that does `size` of them, after one that is not counted. */
async function pace(size: number, step: () => Promise<unknown>): Promise<number> {
  await step();
  const begin = performance.now();
  let images = 0;
  for (; performance.now() - begin < 1000 * seconds; images += size) await step();
  return (1000 * images) / (performance.now() - begin);
}

const ready = await Promise.all(Array.from({ length: Math.max(...BATCHES) }, (_, index) => decode(index)));
const paceAlone = (size: number) => pace(size, () => run(ready.slice(0, size)));
const paces = new Map<number, number>();
for (const size of BATCHES) paces.set(size, await paceAlone(size));
const [best, most] = [...paces].reduce((a, b) => (b[1] > a[1] ? b : a));

async function decoded(): Promise<number> {
  let taken = 0;
  const nextBatch = () => Promise.all(Array.from({ length: best }, () => decode(taken++)));
  let next = nextBatch();
  const perSecond = await pace(best, async () => {
    const parts = await next;
    next = nextBatch();
    await run(parts);
  });
  await next;
  return perSecond;
}

/** With pauses, as the server has them when it has little to do: a processor that was idle begins more slowly. */
async function singles(): Promise<number[]> {
  const interval = 1000 / (CALM_SHARE * most);
  const times: number[] = [];
  for (let index = 0; index < SINGLES; index++) {
    const begin = performance.now();
    await run([await decode(index)]);
    times.push(performance.now() - begin);
    await delay(begin + interval - performance.now());
  }
  return times;
}

const measures: { readonly [Name in keyof BareMeasures]: () => Promise<BareMeasures[Name]> } = {
  alone: () => paceAlone(best),
  decoded,
  singles,
  embedding: async () => [...(await run([await decode(0)]))],
};
process.on("message", async (name: keyof BareMeasures) => process.send?.(await measures[name]()));
process.once("disconnect", () => void Promise.all([session.close(), pool.close()]));
