/**
 * A GPU beside the CPU on CLIP at full size with random weights: the programs of a search and of tuning, forward and
 * with their gradients, how far the values agree, and how long they take. Fails where the device does not work.
 *
 *     npm run build && node dist/bench/device.js --device cuda [--batch 8] [--rounds 5] [--threads 2] [--json]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { promptGradientProgram, universalProgram } from "../src/engine/cbpt/objective.ts";
import { type Checkpoint, openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { parseOpenClipArchitecture } from "../src/engine/clip/formats/open-clip-config.ts";
import { imageProgram, textProgram } from "../src/engine/clip/programs.ts";
import { flopsOf } from "../src/engine/onnx/cost.ts";
import { float32, sizeOf, type Tensor } from "../src/engine/onnx/tensor.ts";
import type { Device } from "../src/engine/runtime/device.ts";
import type { Program } from "../src/engine/runtime/program.ts";
import { openSession } from "../src/engine/runtime/session.ts";
import { deviceOption } from "./device-option.ts";
import { noise, RESNET_50, randomCheckpoint, TEXT, VIT_B_32 } from "./random-checkpoint.ts";

const { values: options } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    batch: { type: "string", default: "8" },
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: "2" },
    only: { type: "string", default: "" },
    json: { type: "boolean", default: false },
  },
});

const CLASSES = 20;
const LENGTH = 12;
const batch = Number(options.batch);

interface Subject {
  readonly name: string;
  readonly model: object;
  readonly make: (checkpoint: Checkpoint, device: Device) => Program;
}

const resNet = { embed_dim: 1024, quick_gelu: true, vision_cfg: RESNET_50, text_cfg: TEXT };
const transformer = { embed_dim: 512, quick_gelu: true, vision_cfg: VIT_B_32, text_cfg: TEXT };
const search: Subject["make"] = (checkpoint, device) =>
  universalProgram(checkpoint, { triggers: 1, images: batch, classes: CLASSES }, device);

const SUBJECTS: readonly Subject[] = [
  {
    name: `RN50 forward, ${batch}`,
    model: resNet,
    make: (checkpoint) => imageProgram(checkpoint, { batch }),
  },
  { name: `RN50 gradient, ${batch}`, model: resNet, make: search },
  {
    name: `ViT-B/32 forward, ${batch}`,
    model: transformer,
    make: (checkpoint) => imageProgram(checkpoint, { batch }),
  },
  { name: `ViT-B/32 gradient, ${batch}`, model: transformer, make: search },
  {
    name: `text forward, ${CLASSES} × ${LENGTH}`,
    model: transformer,
    make: (checkpoint) => textProgram(checkpoint, { classes: CLASSES, length: LENGTH }),
  },
  {
    name: `text gradient, ${CLASSES} × ${LENGTH}`,
    model: transformer,
    make: (checkpoint, device) =>
      promptGradientProgram(checkpoint, { classes: CLASSES, length: LENGTH }, device),
  },
];

interface Run {
  readonly output: Float32Array;
  /** Of the first run, with what is compiled in it, and of the fastest of the others. */
  readonly firstMilliseconds: number;
  readonly milliseconds: number;
}

/** The gradient, or else the embedding. */
async function run(program: Program, device: Device): Promise<Run> {
  const session = await openSession(program, { device, threads: Number(options.threads) });
  const feeds = Object.fromEntries(
    program.graph.inputs.map(({ name, shape }): [string, Tensor] => [
      name,
      float32(shape, valuesOf(name, shape)),
    ]),
  );
  const times: number[] = [];
  let output = new Float32Array();
  try {
    for (let round = 0; round <= Number(options.rounds); round++) {
      const begin = performance.now();
      const results = await session.run(feeds);
      times.push(performance.now() - begin);
      output = (results.gradient ?? results.embedding).data as Float32Array<ArrayBuffer>;
    }
  } finally {
    await session.close();
  }
  const [firstMilliseconds, ...others] = times;
  return { output, firstMilliseconds, milliseconds: Math.min(...others) };
}

function valuesOf(name: string, shape: readonly number[]): Float32Array {
  const random = noise(sizeOf(shape));
  const last = shape[1];
  if (name === "endOfText") return random.map((_, index) => (index % last === last - 1 ? 1 : 0));
  if (name === "targets") return random.map((_, index) => (index % last === 0 ? 1 : 0));
  if (name === "pixels") return random.map((value) => 0.5 + value / 2);
  return name === "triggers" ? random.map((value) => value / 100) : random;
}

function agreement(found: Float32Array, expected: Float32Array): { relative: number; cosine: number } {
  let [difference, a, b, product] = [0, 0, 0, 0];
  for (let index = 0; index < expected.length; index++) {
    difference += (found[index] - expected[index]) ** 2;
    a += found[index] ** 2;
    b += expected[index] ** 2;
    product += found[index] * expected[index];
  }
  return { relative: Math.sqrt(difference / b), cosine: product / Math.sqrt(a * b) };
}

async function measure({ name, model, make }: Subject, device: Device) {
  const folder = await mkdtemp(join(tmpdir(), "antidote-"));
  try {
    const zoo = fileURLToPath(new URL("../../zoo/models/scenes-clean", import.meta.url));
    const architecture = parseOpenClipArchitecture(model);
    const checkpoint = await randomCheckpoint(await openCheckpoint(zoo), architecture, folder);
    const cpu = await run(make(checkpoint, "cpu"), "cpu");
    const gpu = await run(make(checkpoint, device), device);
    const flops = flopsOf(make(checkpoint, "cpu").graph);
    return {
      name,
      ...agreement(gpu.output, cpu.output),
      cpuMilliseconds: cpu.milliseconds,
      milliseconds: gpu.milliseconds,
      firstMilliseconds: gpu.firstMilliseconds,
      gigaflopsPerSecond: flops / gpu.milliseconds / 1e6,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function print([name, ...cells]: readonly string[]): void {
  console.log(name.padEnd(26) + cells.map((cell) => cell.padStart(14)).join(""));
}

const device = await deviceOption(options.device);
if (!options.json) print([device, "relative", "cosine", "CPU, ms", "first, ms", "ms", "GFLOP/s"]);
const results = [];
for (const subject of SUBJECTS.filter(({ name }) => name.includes(options.only))) {
  const result = await measure(subject, device);
  results.push(result);
  if (options.json) continue;
  print([
    result.name,
    result.relative.toExponential(1),
    result.cosine.toFixed(9),
    result.cpuMilliseconds.toFixed(0),
    result.firstMilliseconds.toFixed(0),
    result.milliseconds.toFixed(0),
    result.gigaflopsPerSecond.toFixed(1),
  ]);
}
if (options.json) console.log(JSON.stringify(results));
