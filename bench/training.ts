/**
 * What a step of training costs: the bundled small CLIP (ModifiedResNet of width 16, 64 pixels), symmetric contrastive
 * loss, batch normalisation by the batch, AdamW, float32. With PYTHON the same steps are made in PyTorch too, from the
 * same weights on the same batch, and both losses are shown, so that one sees that they are the same.
 *
 *     npm run build && PYTHON=python3 node dist/bench/training.js [--batch 128] [--threads 1] [--steps 12] [--json]
 *
 * --clock cpu counts the time that processors spent instead, which a busy machine disturbs less.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../src/config.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { randomStream } from "../src/engine/random.ts";
import { startFromCheckpoint } from "../src/engine/training/state.ts";
import { type PairBatch, Trainer } from "../src/engine/training/trainer.ts";

const { values } = parseArgs({
  options: {
    batch: { type: "string", default: "128" },
    threads: { type: "string", default: "1" },
    steps: { type: "string", default: "12" },
    clock: { type: "string", default: "wall" },
    json: { type: "boolean", default: false },
  },
});
const [batch, threads, steps] = [values.batch, values.threads, values.steps].map(Number);

/** Tokens of a caption: the longest of the scenes have sixteen. */
const LENGTH = 16;
/** The first steps warm up. */
const WARM_UP = 2;

interface Timed {
  readonly name: string;
  readonly losses: readonly number[];
  readonly milliseconds: readonly number[];
}

/** Milliseconds on the chosen clock. */
const now = (): number => {
  if (values.clock !== "cpu") return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const fastest = ({ milliseconds }: Timed): number => Math.min(...milliseconds.slice(WARM_UP));
const median = ({ milliseconds }: Timed): number => {
  const sorted = milliseconds.slice(WARM_UP).sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
};

const checkpoint = await openCheckpoint(join(packageRoot, "zoo/models/scenes-clean"));
const pairs = randomPairs();
const ours = await antidote(pairs);
const peers = process.env.PYTHON ? await pytorch(process.env.PYTHON, pairs) : [];
if (values.json) console.log(JSON.stringify({ batch, threads, results: [ours, ...peers] }));
else {
  console.log(
    `${batch} pairs, ${threads} threads; ms of a step: fastest, median, beside ours; first and last loss`,
  );
  for (const timed of [ours, ...peers]) print(timed);
}

/** Noise and random words, the same each time. */
function randomPairs(): PairBatch {
  const { architecture, tokenizer } = checkpoint;
  const random = randomStream(1, "bench");
  const { height, width } = architecture.image.imageSize;
  const pixels = new Uint8Array(batch * 3 * height * width).map(() => random.below(256));
  const words = Array.from({ length: LENGTH - 2 }, (_, index) => index);
  const captions = Array.from({ length: batch }, () => [
    tokenizer.startToken,
    ...words
      .map(() => 4 + random.below(architecture.text.vocabulary - 4))
      .filter((id) => id < tokenizer.endToken),
    tokenizer.endToken,
  ]);
  return { pixels, captions };
}

async function antidote(pairsToLearn: PairBatch): Promise<Timed> {
  const trainer = await Trainer.open(checkpoint, {
    device: "cpu",
    threads,
    batch,
    length: LENGTH,
    normalisation: "batch",
    schedule: { rate: 5e-4, steps: 1000, warmUp: 20 },
  });
  let state = await startFromCheckpoint(checkpoint, trainer.layout);
  const timed = { name: "Antidote", losses: [] as number[], milliseconds: [] as number[] };
  for (let step = 0; step < steps; step++) {
    const begin = now();
    const made = await trainer.step(state, pairsToLearn);
    timed.milliseconds.push(now() - begin);
    timed.losses.push(made.loss);
    state = made.state;
  }
  await trainer.close();
  return timed;
}

async function pytorch(python: string, { pixels, captions }: PairBatch): Promise<Timed[]> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-"));
  try {
    const tokens = new BigInt64Array(batch * LENGTH);
    captions.forEach((ids, row) => {
      ids.forEach((id, position) => {
        tokens[row * LENGTH + position] = BigInt(id);
      });
    });
    await writeFile(join(folder, "pixels.bin"), pixels);
    await writeFile(join(folder, "tokens.bin"), tokens);
    const script = join(packageRoot, "bench/peers/training.py");
    const numbers = Object.entries({ batch, length: LENGTH, steps, threads, clock: values.clock }).flatMap(
      ([name, value]) => [`--${name}`, `${value}`],
    );
    const run = (name: string, ...options: string[]): Timed => {
      const output = execFileSync(python, [script, "--folder", folder, ...numbers, ...options], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      return { name, ...JSON.parse(`${output}`) };
    };
    return [
      run("PyTorch"),
      run("PyTorch, channels last", "--layout", "channels_last"),
      run("PyTorch, image in bfloat16", "--layout", "channels_last", "--precision", "bfloat16"),
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function print(timed: Timed): void {
  const { name, losses } = timed;
  const columns = [fastest(timed), median(timed)].map((ms) => ms.toFixed(0));
  const ratio = (fastest(ours) / fastest(timed)).toFixed(2);
  const shown = [losses[0], losses[losses.length - 1]].map((loss) => loss!.toFixed(4));
  console.log(name.padEnd(28) + [...columns, ratio, ...shown].map((column) => column.padStart(10)).join(""));
}
