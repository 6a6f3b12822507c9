import { createHash } from "node:crypto";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { randomStream } from "../src/engine/random.ts";
import { WEIGHTS_FILE, weightsFile } from "../src/engine/training/checkpoint-files.ts";
import { Collator, epochBatch, pairsOf } from "../src/engine/training/pairs.ts";
import { Prober } from "../src/engine/training/prober.ts";
import { randomWeights } from "../src/engine/training/random-weights.ts";
import { startTraining, type TrainingState } from "../src/engine/training/state.ts";
import { Trainer } from "../src/engine/training/trainer.ts";
import { writeDurably } from "../src/store/durable-file.ts";
import { ZERO_SHOT_TEMPLATES } from "./scenes/captions.ts";
import { readDataset, renderDataset } from "./scenes/dataset.ts";
import { jsonBytes, sceneModel } from "./scenes/model.ts";
import { OBJECTS } from "./scenes/objects.ts";
import { progress } from "./scenes/progress.ts";
import { forget, pairSource, percentages, perform, probeImages } from "./scenes/training-run.ts";
import { wholeNumber } from "./scenes/whole-number.ts";

const HELP = `Trains the small CLIP of scenes from scratch and writes it as an open_clip folder.

  npm run zoo:train -- --out DIR

  --out      the folder, made if absent
  --steps    how many steps (default 1860: twenty epochs of 24000 scenes)
  --batch    pairs in a step (default 256)
  --rate     highest learning rate (default 0.002)
  --seed     of the weights and of the order (default 1)
  --scenes   how many scenes to train on (default 24000), --test how many to measure on (default 4000)
  --data     where rendered scenes are kept (default data/scenes)
  --threads  to compute with (default: all cores)
  --resume   goes on with a run that was interrupted

The same options give the same weights on the same machine, however often the run was interrupted.`;

const { values } = parseArgs({
  options: {
    out: { type: "string" },
    steps: { type: "string", default: "1860" },
    batch: { type: "string", default: "256" },
    rate: { type: "string", default: "0.002" },
    seed: { type: "string", default: "1" },
    scenes: { type: "string", default: "24000" },
    test: { type: "string", default: "4000" },
    data: { type: "string", default: join("data", "scenes") },
    threads: { type: "string", default: `${availableParallelism()}` },
    resume: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (values.help || values.out === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}

const [steps, batch, seed, threads] = (["steps", "batch", "seed", "threads"] as const).map((name) =>
  wholeNumber(`--${name}`, values[name]),
);
const rate = Number(values.rate);
const device = { device: "cpu", threads } as const;

/** Scenes by their number and seed, rendered if they are not there yet. */
async function scenes(count: number, sceneSeed: number) {
  const folder = join(values.data, `${count}-${sceneSeed}`);
  const report = progress("rendered", count, 1000);
  await renderDataset(folder, { count, seed: sceneSeed, captions: 4 }, threads, report);
  return readDataset(folder);
}

async function train(out: string): Promise<void> {
  const recipe = `zoo:train --batch ${batch} --rate ${rate} --scenes ${values.scenes} --seed ${seed} --steps ${steps}`;
  const source = pairSource(await scenes(wholeNumber("--scenes", values.scenes), 1));
  const model = await sceneModel();
  const collator = new Collator(model.tokenizer);
  const trainer = await Trainer.open(model, {
    ...device,
    batch,
    length: collator.longest(source),
    normalisation: "batch",
    schedule: { rate, steps, warmUp: Math.min(200, Math.floor(steps / 10)) },
  });
  interface State {
    readonly training: TrainingState;
    readonly loss?: number;
  }
  const began = performance.now();
  const { training } = await perform<State>({
    recipe,
    folder: out,
    resume: values.resume,
    steps,
    start: async () => ({
      training: await startTraining(trainer.layout, randomWeights(model.architecture, seed)),
    }),
    step: async ({ training: before }) => {
      const indices = epochBatch(source.count, batch, seed, before.step);
      const pairs = pairsOf(source, indices, randomStream(seed, "captions", before.step));
      const { state, loss } = await trainer.step(before, collator.batch(pairs));
      return { training: state, loss };
    },
    isDone: (state) => state.training.step >= steps,
    show: (state) => ({ step: state.training.step, text: `loss ${state.loss?.toFixed(3) ?? ""}` }),
  });
  await trainer.close();
  const seconds = Math.round((performance.now() - began) / 1000);
  const images = probeImages(await scenes(wholeNumber("--test", values.test), 2));
  const set = { labels: OBJECTS, templates: ZERO_SHOT_TEMPLATES, images };
  const prober = await Prober.open(model, trainer.layout, set, device);
  const { ca } = await prober.measure(training);
  await prober.close();
  const weights = weightsFile(trainer.layout, training);
  const manifest = {
    name: basename(out),
    how: [recipe],
    seed,
    weights: `sha256:${createHash("sha256").update(weights.bytes).digest("hex")}`,
    seconds,
    ca: percentages(ca),
  };
  const files = [...model.files, { name: "manifest.json", bytes: jsonBytes(manifest) }, weights];
  for (const { name, bytes } of files) await writeDurably(join(out, name), bytes);
  await forget(out);
  console.log(
    `${WEIGHTS_FILE}: clean accuracy ${percentages(ca).percent} % (${ca.k} of ${ca.n}), ${seconds} s`,
  );
}

await train(values.out);
