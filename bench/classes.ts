/**
 * What one tuning step takes with many classes: its time and the memory of the process, for the text tower of CLIP
 * RN50 with random weights, prompts of 12 tokens and 512 shots; in chunks of classes as `PromptTower` cuts them, and
 * for comparison in one run. Each case is a process of its own, because memory that was given back stays in it.
 *
 *     npm run build && node dist/bench/classes.js [--classes 250,1000] [--whole 250] [--threads 2] [--json]
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { completeConfig } from "../src/engine/cbpt/config.ts";
import type { Problem } from "../src/engine/cbpt/problem.ts";
import { PROMPT_BYTES, PromptTower } from "../src/engine/cbpt/prompt-tower.ts";
import { initialContexts, layOutPrompts } from "../src/engine/cbpt/prompts.ts";
import { type TuningBatch, Workbench } from "../src/engine/cbpt/workbench.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { parseOpenClipArchitecture } from "../src/engine/clip/formats/open-clip-config.ts";
import { noise, RESNET_50, randomCheckpoint, TEXT } from "./random-checkpoint.ts";

const { values } = parseArgs({
  options: {
    classes: { type: "string", default: "250,1000" },
    whole: { type: "string", default: "250" },
    threads: { type: "string", default: "2" },
    json: { type: "boolean", default: false },
    one: { type: "string" },
  },
});

const MEGABYTE = 2 ** 20;
const ROWS = 512;
const WIDTH = 1024;

interface Result {
  readonly classes: number;
  readonly classesPerRun: number;
  readonly seconds: number;
  /** Most of the process's memory, and what it had before the step. */
  readonly peakMegabytes: number;
  readonly startMegabytes: number;
}

if (values.one) console.log(JSON.stringify(await step(JSON.parse(values.one))));
else compare();

function compare(): void {
  const list = (text: string) => text.split(",").filter(Boolean).map(Number);
  const cases = [
    ...list(values.classes).map((classes) => ({ classes, bytes: PROMPT_BYTES })),
    ...list(values.whole).map((classes) => ({ classes, bytes: 2 ** 50 })),
  ];
  const results = cases.map((one): Result => {
    const env = { ...process.env, MALLOC_ARENA_MAX: "1" };
    const self = [fileURLToPath(import.meta.url), "--threads", values.threads, "--one", JSON.stringify(one)];
    return JSON.parse(execFileSync(process.execPath, self, { encoding: "utf8", env }));
  });
  if (values.json) {
    console.log(JSON.stringify(results));
    return;
  }
  const print = (cells: readonly string[]) => console.log(cells.map((cell) => cell.padStart(16)).join(""));
  print(["classes", "in one run", "step, s", "before, MB", "peak, MB"]);
  for (const result of results)
    print([
      `${result.classes}`,
      `${result.classesPerRun}`,
      result.seconds.toFixed(1),
      result.startMegabytes.toFixed(0),
      result.peakMegabytes.toFixed(0),
    ]);
}

async function step({ classes, bytes }: { classes: number; bytes: number }): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-"));
  try {
    const problem = await problemOf(classes, folder);
    const bench = new Workbench(problem, { promptBytes: bytes });
    const contexts = initialContexts(problem.layout, problem.config);
    const [text, batch] = [process.memoryUsage().rss, batchOf(classes)];
    await bench.tune(contexts, batch);
    const begin = performance.now();
    await bench.tune(contexts, batchOf(classes));
    const seconds = (performance.now() - begin) / 1000;
    await bench.close();
    const tower = new PromptTower(problem, () => Promise.reject(new Error("not to be run")), bytes);
    return {
      classes,
      classesPerRun: tower.classesPerRun(),
      seconds,
      startMegabytes: text / MEGABYTE,
      peakMegabytes: process.resourceUsage().maxRSS / 1024,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Prompts whose names have three tokens; nothing of the image tower is used. */
async function problemOf(classes: number, folder: string): Promise<Problem> {
  const zoo = fileURLToPath(new URL("../../zoo/models/scenes-clean", import.meta.url));
  const model = { embed_dim: WIDTH, quick_gelu: true, vision_cfg: RESNET_50, text_cfg: TEXT };
  const architecture = parseOpenClipArchitecture(model);
  const checkpoint = await randomCheckpoint(await openCheckpoint(zoo), architecture, folder);
  const config = completeConfig("UNIVERSAL", {});
  const labels = Array.from({ length: classes }, (_, index) => `class ${index}`);
  const table = noise(TEXT.width * 7);
  const layout = layOutPrompts(
    labels,
    { encode: (text) => (text === "." ? [0, 1, 2] : [0, 3, 4, 5, 2]) },
    { width: TEXT.width, row: (id) => table.subarray(id * TEXT.width, (id + 1) * TEXT.width) },
    { contextTokens: 6, position: "END", contextLength: TEXT.context_length },
  );
  const { imageSize } = architecture.image;
  const matrix = rows(classes);
  const features = rows(ROWS);
  const threads = Number(values.threads);
  const device = "cpu";
  return {
    checkpoint,
    config,
    labels,
    targets: [],
    imageSize,
    width: WIDTH,
    shots: [],
    features,
    matrix,
    layout,
    device,
    threads,
  };
}

function batchOf(classes: number): TuningBatch {
  const labels = Array.from({ length: ROWS }, (_, row) => row % classes);
  return {
    clean: rows(ROWS),
    dummy: rows(ROWS),
    labels,
    targets: new Float32Array(ROWS * classes).fill(1 / classes),
    emphasis: labels.map(() => 1),
    anchors: Array.from({ length: classes }, () => 3),
    suspects: labels.map((label) => (label === 0 ? -1 : 0)),
    margin: 0,
    weights: [0.4, 0, 1, 0, 1],
  };
}

function rows(count: number): Float32Array {
  return noise(count * WIDTH).map((value) => value / Math.sqrt(WIDTH / 3));
}
