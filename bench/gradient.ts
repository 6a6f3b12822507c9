/**
 * What a gradient costs beside its forward pass, for CLIP's towers at full size with random weights: the embedding
 * alone, and the embedding with the gradient of its product with fixed numbers by the input. The theory says 2.
 * Beside PyTorch in turns, where PYTHON names an interpreter that has torch and open_clip.
 *
 *     npm run build && node dist/bench/gradient.js [--threads 1,2] [--rounds 7] [--clock wall|cpu] [--json]
 *
 * On a busy machine `--clock cpu` counts the time that the processes computed; it means something on one thread.
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
import { Peer, type PeerRun } from "./peer.ts";
import { noise, RESNET_50, randomCheckpoint, TEXT, VIT_B_32 } from "./random-checkpoint.ts";
import { type BenchTable, milliseconds, say, type Timing, tell, timingOf } from "./report.ts";

const options = parseArgs({
  options: {
    threads: { type: "string", default: "1,2" },
    rounds: { type: "string", default: "7" },
    clock: { type: "string", default: "wall" },
    json: { type: "boolean", default: false },
  },
}).values;

const clock = options.clock === "cpu" ? "cpu" : "wall";

interface Subject {
  readonly name: string;
  readonly model: object;
  /** The same network, as open_clip names it. */
  readonly peer?: string;
  readonly input: Shape;
  readonly embed: (g: GraphBuilder, checkpoint: Checkpoint, input: Wire) => Wire;
}

interface Result {
  readonly subject: Subject;
  readonly threads: number;
  readonly forward: Timing;
  readonly both: Timing;
  /** PyTorch's time with the gradient, in its default layout and with the channels last. */
  readonly peer?: { readonly usual: Timing; readonly channelsLast: Timing };
}

const [LONG, SHORT] = [77, 12];

const text = (length: number): Subject => ({
  name: `text, 20 prompts of ${length} tokens`,
  model: { embed_dim: 512, quick_gelu: true, vision_cfg: VIT_B_32, text_cfg: TEXT },
  input: [20, length, TEXT.width],
  embed: (g, checkpoint, tokens) => textEmbedding(g, checkpoint, tokens, lastPosition(g, SHORT, length)),
});

const subjects: readonly Subject[] = [
  {
    name: "RN50, batch 4",
    model: { embed_dim: 1024, quick_gelu: true, vision_cfg: RESNET_50, text_cfg: TEXT },
    peer: "RN50",
    input: [4, 3, 224, 224],
    embed: imageEmbedding,
  },
  {
    name: "ViT-B/32, batch 4",
    model: { embed_dim: 512, quick_gelu: true, vision_cfg: VIT_B_32, text_cfg: TEXT },
    peer: "ViT-B-32-quickgelu",
    input: [4, 3, 224, 224],
    embed: imageEmbedding,
  },
  text(LONG),
  text(SHORT),
];

/** Prompts end at the same token, however long they are made. */
function lastPosition(g: GraphBuilder, last: number, length: number): Wire {
  const marks = Array.from({ length }, (_, position) => (position === last - 1 ? 1 : 0));
  return g.constant(float32([1, length, 1], marks));
}

function programOf({ embed, input }: Subject, checkpoint: Checkpoint, backward: boolean): Program {
  const g = new GraphBuilder({ name: backward ? "gradient" : "forward" });
  const x = g.input("x", input);
  const embedding = embed(g, checkpoint, x);
  const loss = g.reduceSum(
    g.mul(embedding, g.constant(float32(embedding.shape, noise(sizeOf(embedding.shape))))),
  );
  g.output(g.identity(embedding), "embedding");
  g.output(loss, "loss");
  if (backward) g.output(gradients(g, loss, [x])[0], "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

async function timeOf(session: Session, x: Tensor): Promise<number> {
  const [begin, cpu] = [performance.now(), process.cpuUsage()];
  await session.run({ x });
  if (clock === "wall") return performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / 1000;
}

/** Runs in turns, so that a busy machine is unfair to nobody; the first round warms up. */
async function measure(
  subject: Subject,
  checkpoint: Checkpoint,
  threads: number,
  peer?: Peer,
): Promise<Result> {
  const device = { device: "cpu", threads } as const;
  const forward = await openSession(programOf(subject, checkpoint, false), device);
  const both = await openSession(programOf(subject, checkpoint, true), device);
  const x = float32(subject.input, noise(sizeOf(subject.input)));
  const beside = async (layout: PeerRun["layout"]): Promise<number | undefined> =>
    subject.peer ? peer?.run({ model: subject.peer, batch: subject.input[0], layout }) : undefined;
  const rounds: (number | undefined)[][] = [];
  for (let round = 0; round <= Number(options.rounds); round++)
    rounds.push([
      await timeOf(forward, x),
      await timeOf(both, x),
      await beside("default"),
      await beside("channels_last"),
    ]);
  await Promise.all([forward.close(), both.close()]);
  const [ours, oursBoth, usual, channelsLast] = [0, 1, 2, 3].map((place) =>
    timingOf(rounds.slice(1).flatMap((round) => round[place] ?? [])),
  );
  const beaten = subject.peer && peer ? { usual, channelsLast } : undefined;
  return { subject, threads, forward: ours, both: oursBoth, peer: beaten };
}

async function withCheckpoint<Value>(
  subject: Subject,
  use: (checkpoint: Checkpoint) => Promise<Value>,
): Promise<Value> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
  try {
    return await use(await randomCheckpoint(base, parseOpenClipArchitecture(subject.model), folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function startPeer(threads: number): Promise<Peer | undefined> {
  const interpreter = process.env.PYTHON;
  return interpreter ? Peer.start(interpreter, threads, clock) : undefined;
}

const quotient = (a: Timing, b: Timing): string => (a.fastest / b.fastest).toFixed(2);

const PEER_COLUMNS = ["PyTorch ms", "/ ours", "channels last ms", "/ ours"];

const besidePeer = (peer: Result["peer"], ours: Timing): string[] =>
  peer
    ? [peer.usual, peer.channelsLast].flatMap((theirs) => [milliseconds(theirs), quotient(theirs, ours)])
    : PEER_COLUMNS.map(() => "");

function gradientTable(results: readonly Result[], peerVersion: string | undefined): BenchTable {
  const single = (result: Result) =>
    results.find(({ subject, threads }) => subject === result.subject && threads === 1);
  const rows = results.map((result) => {
    const { subject, threads, forward, both, peer } = result;
    const one = single(result);
    return [
      subject.name,
      `${threads}`,
      milliseconds(forward),
      milliseconds(both),
      quotient(both, forward),
      one && threads > 1 ? quotient(one.both, both) : "",
      ...(peerVersion ? besidePeer(peer, both) : []),
    ];
  });
  const columns = ["", "threads", "forward ms", "with gradient ms", "ratio", "× one thread"];
  return {
    title: "A gradient by the input, beside the forward pass",
    columns: peerVersion ? [...columns, ...PEER_COLUMNS] : columns,
    rows,
    notes: [
      `Fastest of ${options.rounds} runs, the median in brackets; ratios are of the fastest. ${
        peerVersion
          ? `Beside it in turns, on the same threads: ${peerVersion}, eager, in its default memory layout and with the channels last.`
          : "PYTHON names no interpreter with torch and open_clip, so there is no peer in this run."
      }`,
    ],
  };
}

/** Largest difference of the embeddings of equal prompts, long and cut. */
async function largestDifference(): Promise<number> {
  return withCheckpoint(text(LONG), async (checkpoint) => {
    const random = noise(20 * LONG * TEXT.width);
    const embeddings = [];
    for (const length of [LONG, SHORT]) {
      const session = await openSession(programOf(text(length), checkpoint, false), {
        device: "cpu",
        threads: 1,
      });
      const row = (prompt: number) =>
        random.subarray(prompt * LONG * TEXT.width).subarray(0, length * TEXT.width);
      const x = new Float32Array(20 * length * TEXT.width);
      for (let prompt = 0; prompt < 20; prompt++) x.set(row(prompt), prompt * length * TEXT.width);
      embeddings.push((await session.run({ x: float32([20, length, TEXT.width], x) })).embedding.data);
      await session.close();
    }
    const [long, cut] = embeddings as Float32Array[];
    return long.reduce((most, value, index) => Math.max(most, Math.abs(value - cut[index])), 0);
  });
}

function cuttingTable(results: readonly Result[], difference: number): BenchTable {
  const of = (length: number, count: number) =>
    results.find(({ subject, threads }) => subject.name === text(length).name && threads === count);
  const counts = [...new Set(results.map(({ threads }) => threads))];
  const rows = counts.flatMap((count) => {
    const [long, short] = [of(LONG, count), of(SHORT, count)];
    if (!long || !short) return [];
    return [[`${count}`, milliseconds(long.both), milliseconds(short.both), quotient(long.both, short.both)]];
  });
  return {
    title: "Prompts cut to their longest end of text: 20 prompts, with gradient",
    columns: ["threads", `${LONG} tokens ms`, `${SHORT} tokens ms`, "times as fast"],
    rows,
    notes: [`Largest difference between the embeddings of the same prompts: ${difference.toExponential(1)}.`],
  };
}

const zoo = fileURLToPath(new URL("../../zoo/models/scenes-clean", import.meta.url));
const base = await openCheckpoint(zoo);
const results: Result[] = [];
let peerVersion: string | undefined;
for (const threads of options.threads.split(",").map(Number)) {
  const peer = await startPeer(threads);
  peerVersion ??= peer?.version;
  try {
    for (const subject of subjects) {
      say(`${subject.name}, ${threads} thread${threads === 1 ? "" : "s"}`);
      results.push(
        await withCheckpoint(subject, (checkpoint) => measure(subject, checkpoint, threads, peer)),
      );
    }
  } finally {
    peer?.close();
  }
}
tell([gradientTable(results, peerVersion), cuttingTable(results, await largestDifference())], options.json);
