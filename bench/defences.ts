import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { shotOf } from "../src/engine/cbpt/byte-shot.ts";
import { type GuardedText, undefendedText } from "../src/engine/cbpt/guard.ts";
import { openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { decodeImage } from "../src/engine/clip/decoding.ts";
import { preprocess } from "../src/engine/clip/preprocessing.ts";
import { DEFAULT_TEMPLATES, zeroShotMatrix } from "../src/engine/clip/zero-shot.ts";
import type { DefenceResult } from "../src/engine/defences/defence.ts";
import { type DefendedModel, openDefended } from "../src/engine/defences/defended-model.ts";
import { type DefenceTask, openDefence } from "../src/engine/defences/index.ts";
import type { Measurement } from "../src/engine/evaluation/protocol.ts";
import { type Count, rate } from "../src/engine/evaluation/rate.ts";
import type { Program } from "../src/engine/runtime/program.ts";
import { openSession } from "../src/engine/runtime/session.ts";
import { encodeTest, listImages, measureText, readSecret, readTest, renderTest } from "./suspect.ts";

const HELP = `Runs a defence blind and measures what it leaves of the backdoor, once for each value of a parameter.

  node dist/bench/defences.js --defence ft --sweep learningRate=1e-5,1e-4,1e-3

  --defence    a name of src/engine/defences
  --parameters as JSON, e.g. '{"epochs": 10}'
  --sweep      a parameter and the values that it is to have, one after the other
  --model      open_clip folder (default zoo/models/scenes-badnet)
  --shots      class folders of clean examples (default zoo/shots)
  --per-class  shots of each class (default 16)
  --test       class folders of test images; without it scenes are rendered
  --count      test images: all in all when rendered (default 2000), of each class from folders
  --seed       of the defence (default 1)
  --test-seed  of the rendered scenes (default 77; 1 to 4 made the zoo)
  --threads    default 2`;

const { values } = parseArgs({
  options: {
    defence: { type: "string", default: "none" },
    parameters: { type: "string", default: "{}" },
    sweep: { type: "string" },
    model: { type: "string", default: "zoo/models/scenes-badnet" },
    shots: { type: "string", default: "zoo/shots" },
    "per-class": { type: "string", default: "16" },
    test: { type: "string" },
    count: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    "test-seed": { type: "string", default: "77" },
    threads: { type: "string", default: "2" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const task = await readTask();
  const { labels, checkpoint } = task;
  const images = values.test
    ? await readTest(checkpoint, values.test, Number(values.count))
    : await renderTest(checkpoint, labels, Number(values.count), Number(values["test-seed"]));
  const secret = await readSecret(values.model);
  const target = secret && labels.indexOf(secret.target);
  console.log(`${values.defence} on ${checkpoint.name}, ${images.length} test images, seed ${task.seed}`);
  for (const parameters of sweep()) {
    const folder = await mkdtemp(join(tmpdir(), "antidote-bench-"));
    try {
      const begin = performance.now();
      const result = await defend(task, parameters);
      const model = await openDefended(task, result, folder);
      const seconds = (performance.now() - begin) / 1000;
      const set = await encodeTest(model.checkpoint, images, secret, task.threads);
      const text = await textOf(task, result, model);
      const measured = await measureText(set, text, labels.length, { target }).finally(() =>
        set.encoder.session.close(),
      );
      console.log(`${lineOf(measured)}  ${seconds.toFixed(1)} s  ${JSON.stringify(parameters)}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}

/** What answers: the undefended prompts say where recovery prompts do, and what is looked at again. */
async function textOf(
  { checkpoint, labels, templates, device, threads }: DefenceTask,
  result: DefenceResult,
  { textFeatures }: DefendedModel,
): Promise<GuardedText> {
  if (result.kind !== "prompts" || (!result.recovery && !result.suspected))
    return undefendedText(textFeatures);
  const open = (program: Program) => openSession(program, { device, threads });
  const undefended = await zeroShotMatrix(open, checkpoint, labels, templates);
  const { recovery, suspected } = result;
  return { undefended, purified: textFeatures, recovery: recovery?.features, suspected };
}

async function readTask(): Promise<DefenceTask> {
  const checkpoint = await openCheckpoint(values.model);
  const { labels, images } = await listImages(values.shots, Number(values["per-class"]));
  const shots = await Promise.all(
    images.map(async ({ blob, label }) =>
      shotOf(preprocess(await decodeImage(await readFile(blob)), checkpoint.preprocessing), label),
    ),
  );
  const [seed, threads] = [Number(values.seed), Number(values.threads)];
  return { checkpoint, labels, templates: DEFAULT_TEMPLATES, shots, seed, device: "cpu", threads };
}

/** The parameters of each run. */
function sweep(): object[] {
  const fixed = JSON.parse(values.parameters);
  if (values.sweep === undefined) return [fixed];
  const [name, list = ""] = values.sweep.split("=");
  const read = (text: string) => (Number.isNaN(Number(text)) ? text : Number(text));
  return list.split(",").map((text) => ({ ...fixed, [name]: read(text) }));
}

async function defend(task: DefenceTask, parameters: object) {
  const run = await openDefence(values.defence, { ...task, parameters });
  try {
    let state = await run.init();
    while (!run.isDone(state)) state = await run.step(state);
    return await run.result(state);
  } finally {
    await run.close();
  }
}

function lineOf({ ca, asr, targetRecall, trueLabelUnderTrigger }: Measurement): string {
  const cell = (name: string, count: Count | undefined) => {
    if (count === undefined) return "";
    const [share, low, high] = [rate(count).value, rate(count).low95, rate(count).high95].map((value) =>
      (100 * value).toFixed(2),
    );
    return `${name} ${share} % (${count.k} of ${count.n}; ${low} to ${high})  `;
  };
  return `${cell("CA", ca)}${cell("ASR", asr)}${cell("target recall", targetRecall)}${cell("true label", trueLabelUnderTrigger)}`;
}
