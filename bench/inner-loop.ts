/**
 * The two inner loops of a purification as jobs run them, on the bundled model and on CLIP's towers at full size with
 * random weights: images (with their gradients) a second, and the share that this is of the machine's own peak, measured
 * by a large matrix product in the same runtime on the same threads. Counted are the matrix products and convolutions of
 * the graph alone, a multiply-add as two.
 *
 *     npm run build && node dist/bench/inner-loop.js [--threads 2] [--rounds 5] [--json]
 */
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../src/config.ts";
import { completeConfig } from "../src/engine/cbpt/config.ts";
import { joined } from "../src/engine/cbpt/features.ts";
import { perImageProgram, universalProgram } from "../src/engine/cbpt/objective.ts";
import { prepareProblem } from "../src/engine/cbpt/prepare.ts";
import type { Problem } from "../src/engine/cbpt/problem.ts";
import { startUniversal, stepUniversal } from "../src/engine/cbpt/universal.ts";
import { Workbench } from "../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { decodeImage } from "../src/engine/clip/decoding.ts";
import { preprocess } from "../src/engine/clip/preprocessing.ts";
import { GraphBuilder } from "../src/engine/onnx/builder.ts";
import { costOf } from "../src/engine/onnx/cost.ts";
import { float32 } from "../src/engine/onnx/tensor.ts";
import { openSession } from "../src/engine/runtime/session.ts";
import { noise, RESNET_50, TEXT, VIT_B_32, writeRandomModel } from "./random-checkpoint.ts";
import { say, tell, timingOf } from "./report.ts";

const { values } = parseArgs({
  options: {
    threads: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});
const [threads, rounds] = [values.threads, values.rounds].map(Number);

const ZOO = join(packageRoot, "zoo");
const [CLASSES, SHOTS_PER_CLASS, BATCH] = [8, 2, 8];
const SIDE = 2048;

interface Result {
  readonly model: string;
  readonly loop: string;
  readonly imagesPerSecond: number;
  readonly flopsPerSecond: number;
}

/** Multiply-adds, as two, in a second of the largest product that fits the caches of nobody. */
async function peakFlops(): Promise<number> {
  const g = new GraphBuilder({ name: "peak" });
  const factor = g.constant(float32([SIDE, SIDE], noise(SIDE * SIDE)));
  g.output(g.reduceMax(g.matmul(g.input("x", [SIDE, SIDE]), factor)), "y");
  const session = await openSession({ graph: g.build(), folder: "." }, { device: "cpu", threads });
  const x = float32([SIDE, SIDE], noise(SIDE * SIDE));
  const seconds = await fastest(() => session.run({ x }));
  await session.close();
  return (2 * SIDE ** 3) / seconds;
}

/** Seconds of the fastest of some runs, after one that warms up. */
async function fastest(work: () => Promise<unknown>): Promise<number> {
  const times = [];
  for (let round = 0; round <= rounds; round++) {
    const begin = performance.now();
    await work();
    times.push((performance.now() - begin) / 1000);
  }
  return timingOf(times.slice(1)).fastest;
}

async function problemOf(folder: string): Promise<Problem> {
  const checkpoint = await openCheckpoint(folder);
  const labels = (await readdir(join(ZOO, "shots"))).sort().slice(0, CLASSES);
  const shots = labels.flatMap((name, label) =>
    Array.from({ length: SHOTS_PER_CLASS }, async (_, index) => {
      const file = join(ZOO, "shots", name, `${String(index).padStart(2, "0")}.png`);
      return { label, pixels: preprocess(await decodeImage(await readFile(file)), checkpoint.preprocessing) };
    }),
  );
  return prepareProblem({
    checkpoint,
    config: completeConfig("UNIVERSAL", {}),
    labels,
    templates: ["a photo of a {}."],
    shots: await Promise.all(shots),
    device: "cpu",
    threads,
  });
}

/** One step of every class's trigger. */
async function universal(model: string, problem: Problem): Promise<Result> {
  const { checkpoint, config } = problem;
  const images = CLASSES * config.innerBatch;
  const program = universalProgram(checkpoint, { triggers: 1, images: config.innerBatch, classes: CLASSES });
  const bench = new Workbench(problem);
  let state = startUniversal(problem);
  const seconds = await fastest(async () => {
    state = await stepUniversal(bench, state, 2, problem.targets);
  });
  await bench.close();
  const flops = CLASSES * costOf(program.graph).productFlops;
  return { model, loop: "universal", imagesPerSecond: images / seconds, flopsPerSecond: flops / seconds };
}

/** One step of the triggers of a batch, each its image's own. */
async function published(model: string, problem: Problem): Promise<Result> {
  const { checkpoint, config, shots, features, width } = problem;
  const program = perImageProgram(checkpoint, { batch: BATCH, temperature: config.temperature });
  const pixels = joined(shots.slice(0, BATCH).map((shot) => shot.pixels));
  const [positive, negative] = [0, 1].map((row) => features.slice(row * width, (row + BATCH) * width));
  const bench = new Workbench(problem);
  const triggers = new Float32Array(pixels.length);
  const seconds = await fastest(() => bench.invertPerImage({ pixels, triggers, positive, negative }));
  await bench.close();
  const { productFlops } = costOf(program.graph);
  return {
    model,
    loop: "published",
    imagesPerSecond: BATCH / seconds,
    flopsPerSecond: productFlops / seconds,
  };
}

const text = { quick_gelu: true, text_cfg: TEXT };
const MODELS = [
  { name: "RN50", config: { embed_dim: 1024, vision_cfg: RESNET_50, ...text } },
  { name: "ViT-B/32", config: { embed_dim: 512, vision_cfg: VIT_B_32, ...text } },
];

/** The best that the machine has shown: measured before each model, in case that it is not always left alone. */
let peak = 0;

async function measure(name: string, folder: string): Promise<Result[]> {
  say(name);
  peak = Math.max(peak, await peakFlops());
  const problem = await problemOf(folder);
  return [await published(name, problem), await universal(name, problem)];
}

const folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
try {
  const results = await measure("bundled small CLIP (64 pixels)", join(ZOO, "models/scenes-badnet"));
  for (const [index, { name, config }] of MODELS.entries()) {
    const path = join(folder, `${index}`);
    await mkdir(path);
    await writeRandomModel(path, config);
    results.push(...(await measure(name, path)));
  }
  tell(
    [
      {
        title: `The inner loops, ${threads} thread${threads === 1 ? "" : "s"}`,
        columns: ["", "loop", "images/s", "GFLOP/s", "of the peak"],
        rows: results.map(({ model, loop, imagesPerSecond, flopsPerSecond }) => [
          model,
          loop,
          imagesPerSecond.toFixed(imagesPerSecond < 100 ? 1 : 0),
          (flopsPerSecond / 1e9).toFixed(1),
          `${((100 * flopsPerSecond) / peak).toFixed(0)} %`,
        ]),
        notes: [
          `Peak: ${(peak / 1e9).toFixed(0)} GFLOP/s, a product of two matrices of ${SIDE} × ${SIDE}. The fastest of ${rounds} steps.`,
        ],
      },
    ],
    values.json,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
