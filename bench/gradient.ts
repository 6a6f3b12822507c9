/**
 * What a gradient costs beside its forward pass, for CLIP's towers at full size with random weights: the embedding
 * alone, and the embedding with the gradient of its product with fixed numbers by the input. The theory says 2.
 *
 *     npm run build && node dist/bench/gradient.js [--threads 1] [--rounds 7] [--json]
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gradients } from "../src/engine/autodiff/gradients.ts";
import { type Checkpoint, openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { parseOpenClipArchitecture } from "../src/engine/clip/formats/open-clip-config.ts";
import { imageEmbedding, textEmbedding } from "../src/engine/clip/towers.ts";
import { GraphBuilder } from "../src/engine/onnx/builder.ts";
import type { Shape, Wire } from "../src/engine/onnx/graph.ts";
import { float32, sizeOf, type Tensor } from "../src/engine/onnx/tensor.ts";
import type { Program } from "../src/engine/runtime/program.ts";
import { openSession, type Session } from "../src/engine/runtime/session.ts";
import { noise, RESNET_50, randomCheckpoint, TEXT, VIT_B_32 } from "./random-checkpoint.ts";

const options = parseArgs({
  options: {
    threads: { type: "string", default: "1" },
    rounds: { type: "string", default: "7" },
    json: { type: "boolean", default: false },
  },
}).values;

interface Subject {
  readonly name: string;
  readonly model: object;
  readonly input: Shape;
  readonly embed: (g: GraphBuilder, checkpoint: Checkpoint, input: Wire) => Wire;
}

const text = (length: number): Subject => ({
  name: `text, 20 prompts of ${length} tokens`,
  model: { embed_dim: 512, quick_gelu: true, vision_cfg: VIT_B_32, text_cfg: TEXT },
  input: [20, length, TEXT.width],
  embed: (g, checkpoint, tokens) => textEmbedding(g, checkpoint, tokens, lastPosition(g, length)),
});

const subjects: readonly Subject[] = [
  {
    name: "RN50, batch 4",
    model: { embed_dim: 1024, quick_gelu: true, vision_cfg: RESNET_50, text_cfg: TEXT },
    input: [4, 3, 224, 224],
    embed: imageEmbedding,
  },
  {
    name: "ViT-B/32, batch 4",
    model: { embed_dim: 512, quick_gelu: true, vision_cfg: VIT_B_32, text_cfg: TEXT },
    input: [4, 3, 224, 224],
    embed: imageEmbedding,
  },
  text(77),
  text(12),
];

function lastPosition(g: GraphBuilder, length: number): Wire {
  const marks = Array.from({ length }, (_, position) => (position === length - 1 ? 1 : 0));
  return g.constant(float32([1, length, 1], marks));
}

function programOf({ embed, input }: Subject, checkpoint: Checkpoint, backward: boolean): Program {
  const g = new GraphBuilder({ name: backward ? "gradient" : "forward" });
  const x = g.input("x", input);
  const embedding = embed(g, checkpoint, x);
  const loss = g.reduceSum(
    g.mul(embedding, g.constant(float32(embedding.shape, noise(sizeOf(embedding.shape))))),
  );
  g.output(loss, "loss");
  if (backward) g.output(gradients(g, loss, [x])[0], "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

async function milliseconds(session: Session, x: Tensor): Promise<number> {
  const begin = performance.now();
  await session.run({ x });
  return performance.now() - begin;
}

/** The fastest of some runs, taken in turns so that a busy machine is unfair to neither. */
async function measure(subject: Subject, checkpoint: Checkpoint) {
  const device = { device: "cpu", threads: Number(options.threads) } as const;
  const forward = await openSession(programOf(subject, checkpoint, false), device);
  const both = await openSession(programOf(subject, checkpoint, true), device);
  const x = float32(subject.input, noise(sizeOf(subject.input)));
  const best = { forward: Number.POSITIVE_INFINITY, both: Number.POSITIVE_INFINITY };
  for (let round = 0; round < Number(options.rounds); round++) {
    best.forward = Math.min(best.forward, await milliseconds(forward, x));
    best.both = Math.min(best.both, await milliseconds(both, x));
  }
  await Promise.all([forward.close(), both.close()]);
  return { name: subject.name, ...best, ratio: best.both / best.forward };
}

function print(columns: readonly string[]): void {
  const [name, ...numbers] = columns;
  console.log(name.padEnd(30) + numbers.map((column) => column.padStart(14)).join(""));
}

const zoo = fileURLToPath(new URL("../../zoo/models/scenes-clean", import.meta.url));
const base = await openCheckpoint(zoo);
if (!options.json) print(["", "forward ms", "both ms", "ratio"]);
const results = [];
for (const subject of subjects) {
  const folder = await mkdtemp(join(tmpdir(), "antidote-"));
  try {
    const checkpoint = await randomCheckpoint(base, parseOpenClipArchitecture(subject.model), folder);
    const result = await measure(subject, checkpoint);
    results.push(result);
    if (options.json) continue;
    print([result.name, result.forward.toFixed(0), result.both.toFixed(0), result.ratio.toFixed(2)]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
if (options.json) console.log(JSON.stringify(results));
