/**
 * Memory of a job on CLIP RN50 with random weights, as a server runs it: the most that its process ever had (VmHWM), and
 * what the server has before and after; and how many bytes its gradient programs are, beside the weights they read.
 *
 *     npm run build && node dist/bench/memory.js [--threads 1] [--json]
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { perImageProgram, tuningProgram, universalProgram } from "../src/engine/cbpt/objective.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { costOf } from "../src/engine/onnx/cost.ts";
import { encodeProgram } from "../src/engine/runtime/program.ts";
import { EmbeddedJobQueue } from "../src/jobs/embedded-queue.ts";
import type { JobKind } from "../src/jobs/job.ts";
import { LmdbStore } from "../src/store/lmdb.ts";
import { RESNET_50, WHOLE_TEXT, writeRandomModel } from "./random-checkpoint.ts";
import { type BenchTable, megabytes, say, tell } from "./report.ts";

const { values } = parseArgs({
  options: { threads: { type: "string", default: "1" }, json: { type: "boolean", default: false } },
});

const SHOTS = fileURLToPath(new URL("../../zoo/shots", import.meta.url));
const [CLASSES, SHOTS_PER_CLASS, BATCH] = [4, 2, 8];
/** Often enough to see the last value: it only grows. */
const POLL_MILLISECONDS = 20;

interface Work {
  readonly name: string;
  readonly kind: JobKind;
  readonly spec: object;
}

async function worksOn(modelFolder: string): Promise<Work[]> {
  const labels = (await readdir(SHOTS)).sort().slice(0, CLASSES);
  const shots = labels.flatMap((name, label) =>
    Array.from({ length: SHOTS_PER_CLASS }, (_, index) => ({
      blob: join(SHOTS, name, `${String(index).padStart(2, "0")}.png`),
      label,
    })),
  );
  const common = { modelFolder, labels, templates: ["a photo of a {}."], shots };
  const short = { epochs: 1, warmupEpochs: 0, innerSteps: 2, batchSize: BATCH };
  return [
    {
      name: `published purification, batch ${BATCH}`,
      kind: "purify",
      spec: { ...common, mode: "PUBLISHED", config: short },
    },
    {
      name: `universal purification, 2 triggers × ${BATCH / 2} images`,
      kind: "purify",
      spec: { ...common, config: { ...short, innerBatch: BATCH / 2, gratingCycles: 0 } },
    },
  ];
}

/** The most memory that a process has had, in bytes, as long as it lives. */
async function highWaterMark(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0);
}

async function measure(folder: string) {
  const store = await LmdbStore.open(join(folder, "store"));
  let pid = 0;
  const note = (facts: object) => {
    if ("pid" in facts) pid = facts.pid as number;
  };
  const queue = new EmbeddedJobQueue({
    store,
    folder: join(folder, "jobs"),
    device: "cpu",
    threads: Number(values.threads),
    complete: async (_job, result) => ({ result, writes: [] }),
    logger: { info: note, warn: note, error: note },
  });
  await queue.start();
  const results = [];
  for (const { name, kind, spec } of await worksOn(join(folder, "model"))) {
    say(name);
    const before = process.memoryUsage().rss;
    const { id } = await queue.enqueue("bench", kind, spec);
    let peak = 0;
    const timer = setInterval(async () => {
      peak = Math.max(peak, await highWaterMark(pid));
    }, POLL_MILLISECONDS);
    for await (const { event } of queue.events("bench", id, 0))
      if (event.kind === "status" && event.status === "FAILED")
        throw new Error(`The job "${name}" failed: ${JSON.stringify(await queue.get("bench", id))}`);
    clearInterval(timer);
    results.push({ name, peak, before, after: process.memoryUsage().rss });
  }
  await queue.stop();
  await store.close();
  return results;
}

async function programTable(modelFolder: string): Promise<BenchTable> {
  const checkpoint = await openCheckpoint(modelFolder);
  const programs = [
    perImageProgram(checkpoint, { batch: BATCH, temperature: 0.1 }),
    universalProgram(checkpoint, { triggers: 2, images: BATCH / 2, classes: CLASSES }),
    tuningProgram(checkpoint, { classes: CLASSES, length: 12, batch: BATCH }),
  ];
  return {
    title: "A compiled gradient program holds none of the weights",
    columns: ["RN50", "the program itself", "weights that it reads"],
    rows: programs.map((program) => [
      program.graph.name,
      megabytes(encodeProgram(program).model.byteLength),
      megabytes(costOf(program.graph).weightBytes),
    ]),
    notes: [],
  };
}

const folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
try {
  say("writing an RN50 with random weights");
  await writeModel(join(folder, "model"));
  const results = await measure(folder);
  tell(
    [
      {
        title: `Memory of a job on RN50, ${values.threads} thread${values.threads === "1" ? "" : "s"}`,
        columns: ["", "peak of its process", "server before", "server after"],
        rows: results.map(({ name, peak, before, after }) => [
          name,
          megabytes(peak),
          megabytes(before),
          megabytes(after),
        ]),
        notes: [],
      },
      await programTable(join(folder, "model")),
    ],
    values.json,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function writeModel(path: string): Promise<void> {
  await mkdir(path);
  await writeRandomModel(path, {
    embed_dim: 1024,
    quick_gelu: true,
    vision_cfg: RESNET_50,
    text_cfg: WHOLE_TEXT,
  });
}
