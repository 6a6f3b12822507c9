/**
 * What it takes to open a checkpoint of 600 MB, CLIP ViT-B/32 in open_clip's layout and in Hugging Face's: the time
 * and the memory of reading and checking it, then of the tokenizer, which is built when it is first used, then of the
 * digest, which reads all bytes. Each run is a process of its own; of several the fastest counts. The weights are
 * zeros, and the tokenizer has CLIP's size and invented words.
 *
 *     npm run build && node dist/bench/open-checkpoint.js [--rounds 5] [--json]
 */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { clipBpe, vocabularyOfMerges } from "../src/engine/clip/clip-bpe.ts";
import { expectedTensors } from "../src/engine/clip/expected-tensors.ts";
import { parseHuggingFaceArchitecture } from "../src/engine/clip/formats/hugging-face-config.ts";
import { huggingFaceSource } from "../src/engine/clip/formats/hugging-face-tensors.ts";
import type { Shape } from "../src/engine/onnx/graph.ts";
import { sizeOf } from "../src/engine/onnx/tensor.ts";
import { tell } from "./report.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
    one: { type: "string" },
  },
});

const VOCABULARY = 49408;

/** Of one run, or the best of several: milliseconds and (decimal) megabytes. */
interface Result {
  readonly open: number;
  readonly tokenizer: number;
  readonly digest: number;
  /** The most that the process ever had: before, after opening, after the tokenizer, after the digest. */
  readonly memory: readonly number[];
}

const MODEL = {
  embed_dim: 512,
  quick_gelu: true,
  vision_cfg: { image_size: 224, layers: 12, width: 768, patch_size: 32 },
  text_cfg: { context_length: 77, vocab_size: VOCABULARY, width: 512, heads: 8, layers: 12 },
};

/** A safetensors file of zeros: a header, and a hole behind it. */
async function writeZeros(path: string, tensors: readonly (readonly [string, Shape])[]): Promise<number> {
  let end = 0;
  const entries = tensors.map(([name, shape]) => {
    const begin = end;
    end += 4 * sizeOf(shape);
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const file = await open(path, "w");
  await file.writeFile(Buffer.concat([length, header]));
  await file.truncate(8 + header.length + end);
  await file.close();
  return 8 + header.length + end;
}

/** Byte pairs as many as CLIP's: all words of two and three letters, and some of four. */
function tokenizer(): object {
  const letters = [..."abcdefghijklmnopqrstuvwxyz"];
  const extend = (words: readonly string[]): string[] =>
    words.flatMap((word) => letters.map((letter) => `${word.replace(" ", "")} ${letter}`));
  const two = extend(letters);
  const three = extend(two);
  const { vocabulary, merges } = vocabularyOfMerges(
    [...two, ...three, ...extend(three)],
    VOCABULARY,
    "bench",
  );
  return clipBpe(vocabulary, merges, "bench");
}

/** The same network in both layouts; the bytes of one. */
async function writeCheckpoints(folder: string): Promise<{ folders: string[]; bytes: number }> {
  const folders = ["open_clip", "hugging-face"].map((name) => join(folder, name));
  const network = expectedTensors(parseHuggingFaceArchitecture({ model_type: "clip" }));
  const scale = ["logit_scale", []] as const;
  const renamed = network.flatMap(([name, shape]): [string, Shape][] => {
    const { keys, transposed } = huggingFaceSource(name);
    const [rows, ...rest] = transposed ? shape.toReversed() : shape;
    return keys.map((key) => [key, [rows / keys.length, ...rest]]);
  });
  const words = JSON.stringify(tokenizer());
  for (const path of folders) {
    await mkdir(path);
    await writeFile(join(path, "tokenizer.json"), words);
  }
  await writeFile(join(folders[0], "open_clip_config.json"), JSON.stringify({ model_cfg: MODEL }));
  await writeFile(join(folders[1], "config.json"), '{"model_type": "clip"}');
  await writeZeros(join(folders[1], "model.safetensors"), [...renamed, scale]);
  const bytes = await writeZeros(join(folders[0], "open_clip_model.safetensors"), [...network, scale]);
  return { folders, bytes };
}

const mostMemory = (): number => (process.resourceUsage().maxRSS * 1024) / 1e6;

async function timed<Value>(
  work: () => Value | Promise<Value>,
): Promise<{ value: Value; milliseconds: number }> {
  const begin = performance.now();
  const value = await work();
  return { value, milliseconds: performance.now() - begin };
}

async function measure(folder: string): Promise<Result> {
  const memory = [mostMemory()];
  const opened = await timed(() => openCheckpoint(folder));
  memory.push(mostMemory());
  const tokens = await timed(() => opened.value.tokenizer.encode("a photo of a cat."));
  memory.push(mostMemory());
  const digest = await timed(() => opened.value.weightsDigest());
  memory.push(mostMemory());
  const [open, tokenizer, read] = [opened, tokens, digest].map(({ milliseconds }) => milliseconds);
  return { open, tokenizer, digest: read, memory };
}

function best(results: readonly Result[]): Result {
  const least = (of: (result: Result) => number): number => Math.min(...results.map(of));
  return {
    open: least(({ open }) => open),
    tokenizer: least(({ tokenizer }) => tokenizer),
    digest: least(({ digest }) => digest),
    memory: results[0].memory.map((_, index) => least(({ memory }) => memory[index])),
  };
}

function runApart(folder: string): Result {
  const output = execFileSync(process.execPath, [fileURLToPath(import.meta.url), "--one", folder]);
  return JSON.parse(output.toString());
}

function rowsOf(name: string, { open, tokenizer, digest, memory }: Result): string[][] {
  const [before, ...after] = memory.map((size) => `${size.toFixed(0)} MB`);
  return [
    [`${name}: opened`, open.toFixed(0), after[0], before],
    [`${name}: tokenizer, when first used`, tokenizer.toFixed(0), after[1], ""],
    [`${name}: digest of all bytes`, digest.toFixed(0), after[2], ""],
  ];
}

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
  try {
    const { folders, bytes } = await writeCheckpoints(folder);
    const rounds = Array.from({ length: Number(values.rounds) });
    const results = folders.map((path) => ({ path, result: best(rounds.map(() => runApart(path))) }));
    tell(
      [
        {
          title: `Analysing a checkpoint of ${(bytes / 1e6).toFixed(0)} MB (CLIP ViT-B/32)`,
          columns: ["", "ms", "most memory by then", "before"],
          rows: results.flatMap(({ path, result }) => rowsOf(basename(path), result)),
          notes: [`The best of ${rounds.length} processes.`],
        },
      ],
      values.json,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

if (values.one) console.log(JSON.stringify(await measure(values.one)));
else await main();
