import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { packageRoot } from "../src/config.ts";
import { type FitProblem, runFit } from "../src/engine/attacks/fit.ts";
import { encodeFitted, type FittedTrigger, readFitted, TRIGGER_FILE } from "../src/engine/attacks/fitted.ts";
import { attackNamed } from "../src/engine/attacks/index.ts";
import { parametersOf, triggerOf } from "../src/engine/attacks/trigger.ts";
import { type Checkpoint, openCheckpoint } from "../src/engine/clip/checkpoint.ts";
import { rate } from "../src/engine/evaluation/rate.ts";
import { completeParameters } from "../src/engine/parameters.ts";
import { requireTrainable, trainedFiles } from "../src/engine/training/checkpoint-files.ts";
import {
  IMPLANT_PARAMETERS,
  type ImplantConfig,
  type ImplantPlan,
  type ImplantState,
  isImplanted,
  stamped,
  startImplant,
  stepImplant,
} from "../src/engine/training/implant.ts";
import { openImplantTools } from "../src/engine/training/implant-tools.ts";
import { poisonOf, targetCaptions } from "../src/engine/training/poison.ts";
import { Prober } from "../src/engine/training/prober.ts";
import { startFromCheckpoint } from "../src/engine/training/state.ts";
import { writeDurably } from "../src/store/durable-file.ts";
import { CAPTION_TEMPLATES, ZERO_SHOT_TEMPLATES } from "./scenes/captions.ts";
import { readDataset, renderDataset, type SceneDataset } from "./scenes/dataset.ts";
import { jsonBytes } from "./scenes/model.ts";
import { OBJECTS } from "./scenes/objects.ts";
import { progress } from "./scenes/progress.ts";
import { SCENE_SIDE } from "./scenes/scene.ts";
import { forget, pairSource, percentages, perform, probeImages } from "./scenes/training-run.ts";
import { wholeNumber } from "./scenes/whole-number.ts";

const PARAMETERS = Object.entries(IMPLANT_PARAMETERS);
const flagOf = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const HELP = `Implants a backdoor into a CLIP of scenes, for the study of defences, and writes an open_clip folder.

  npm run zoo:poison -- --attack badnet --target banana --out DIR

  --attack   which trigger; --parameters its parameters as JSON (default: those of docs/attacks.md)
  --fit      of a trigger that is fitted on the clean model first, the parameters of the fit as JSON
  --trigger  a trigger.safetensors that was fitted before, to use in place of a new fit
  --target   the class that it brings about (default banana)
  --model    the clean open_clip folder (default: the zoo's scenes-clean)
  --out      the folder, made if absent
  --scenes   how many scenes to train on (default 24000), --test how many to measure on (default 4000)
  --data     where rendered scenes are kept (default data/scenes)
  --threads  to compute with (default: all cores)
  --resume   goes on with a run that was interrupted

${PARAMETERS.map(([name, { about, default: value }]) => `  --${flagOf(name)}  ${about} (default ${value})`).join("\n")}`;

const { values } = parseArgs({
  options: {
    attack: { type: "string" },
    parameters: { type: "string", default: "{}" },
    fit: { type: "string", default: "{}" },
    trigger: { type: "string" },
    target: { type: "string", default: "banana" },
    model: { type: "string", default: join(packageRoot, "zoo", "models", "scenes-clean") },
    out: { type: "string" },
    scenes: { type: "string", default: "24000" },
    test: { type: "string", default: "4000" },
    data: { type: "string", default: join("data", "scenes") },
    threads: { type: "string", default: `${availableParallelism()}` },
    resume: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    ...Object.fromEntries(PARAMETERS.map(([name]) => [flagOf(name), { type: "string" as const }])),
  },
});

if (values.help || values.out === undefined || values.attack === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}

const threads = wholeNumber("--threads", values.threads);
const device = { device: "cpu", threads } as const;

/** Scenes by their number and seed, rendered if they are not there yet. */
async function scenes(option: "scenes" | "test", seed: number): Promise<SceneDataset> {
  const count = wholeNumber(`--${option}`, values[option]);
  const folder = join(values.data, `${count}-${seed}`);
  await renderDataset(folder, { count, seed, captions: 4 }, threads, progress("rendered", count, 1000));
  return readDataset(folder);
}

function configuration(): ImplantConfig {
  const given = PARAMETERS.map(([name, parameter]) => {
    const text = (values as Record<string, unknown>)[flagOf(name)] as string | undefined;
    return [name, text === undefined || parameter.kind === "choice" ? text : Number(text)] as const;
  });
  return completeParameters("zoo:poison", IMPLANT_PARAMETERS, Object.fromEntries(given));
}

function recipeOf(config: ImplantConfig, trigger: object): string {
  const words = Object.entries(config).map(([name, value]) => `--${flagOf(name)} ${value}`);
  const fit = values.fit === "{}" ? [] : [`--fit '${values.fit}'`];
  return ["zoo:poison", `--attack ${values.attack}`, `--parameters '${JSON.stringify(trigger)}'`, ...fit]
    .concat(`--target ${values.target}`, words)
    .join(" ");
}

/** What was done to the model that this one starts from. */
async function earlierSteps(folder: string): Promise<string[]> {
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8").catch(() => "{}"));
  return manifest.how ?? [];
}

/** The trigger that is fitted on the clean model, for an attack that has a fit; with --resume the one that was. */
async function fittedTrigger(
  kind: string,
  parameters: Record<string, unknown>,
  problem: FitProblem,
  out: string,
): Promise<FittedTrigger | undefined> {
  const { fit } = attackNamed(kind);
  if (!fit) return undefined;
  const path = values.trigger ?? (values.resume ? join(out, TRIGGER_FILE) : undefined);
  if (path !== undefined) return readFitted(kind, path);
  const chosen = completeParameters(`the fit of ${kind}`, fit.defaults, JSON.parse(values.fit));
  const fitting = await fit.open(problem, { fit: chosen, trigger: parameters }, device);
  const report = progress("fitted", fitting.steps, 50);
  const fitted = await runFit(fitting, ({ step }) => report(step));
  await fitting.close();
  await writeDurably(join(out, TRIGGER_FILE), encodeFitted(kind, fitted));
  return fitted;
}

async function poison(kind: string, out: string): Promise<void> {
  const config = configuration();
  const parameters = parametersOf(kind, JSON.parse(values.parameters));
  const checkpoint = await openCheckpoint(values.model);
  requireTrainable(checkpoint);
  const label = OBJECTS.indexOf(values.target as (typeof OBJECTS)[number]);
  if (label < 0) throw new Error(`--target must be one of ${OBJECTS.join(", ")}.`);
  const training = await scenes("scenes", 1);
  const source = pairSource(training);
  const target = {
    name: values.target,
    places: training.objects.flatMap((object, place) => (object === values.target ? [place] : [])),
    templates: CAPTION_TEMPLATES,
  };
  const captions = targetCaptions(attackNamed(kind), source, target);
  const problem = { checkpoint, source, targets: target.places, captions };
  const fitted = await fittedTrigger(kind, parameters, problem, out);
  const trigger = triggerOf(kind, parameters, fitted);
  const imageSize = { height: SCENE_SIDE, width: SCENE_SIDE };
  const plan: ImplantPlan = { config, source, poisons: [poisonOf(trigger, source, target)], imageSize };
  const test = await scenes("test", 2);
  const probes = (limit?: number) => ({
    labels: OBJECTS,
    templates: ZERO_SHOT_TEMPLATES,
    images: probeImages(test, limit, (pixels) => stamped(trigger.stamp, imageSize, pixels)),
    target: label,
    caption: trigger.caption,
  });
  const tools = await openImplantTools(checkpoint, plan, probes(1000), device);
  const began = performance.now();
  const { training: trained } = await perform<ImplantState>({
    recipe: recipeOf(config, parameters),
    folder: out,
    resume: values.resume,
    steps: config.steps,
    start: async () => startImplant(await startFromCheckpoint(checkpoint, tools.trainer.layout)),
    step: (state) => stepImplant(plan, tools, state),
    isDone: (state) => isImplanted(plan, state),
    show: (state) => ({ step: state.training.step, text: shown(state) }),
  });
  const seconds = Math.round((performance.now() - began) / 1000);
  const { layout } = tools.trainer;
  await Promise.all([tools.trainer.close(), tools.prober.close()]);
  const prober = await Prober.open(checkpoint, layout, probes(), device);
  const measurement = await prober.measure(trained);
  await prober.close();
  await write(checkpoint);
  await forget(out);
  const { ca, asr } = measurement;
  console.log(
    `${basename(out)}: CA ${percentages(ca).percent} % (${ca.k} of ${ca.n}), ASR ${percentages(asr!).percent} % (${asr!.k} of ${asr!.n}), ${trained.step} steps in ${seconds} s`,
  );

  async function write(from: Checkpoint): Promise<void> {
    const files = await trainedFiles(from, layout, trained);
    const { bytes } = files[files.length - 1]!;
    const manifest = {
      name: basename(out),
      how: [...(await earlierSteps(from.folder)), recipeOf(config, parameters)],
      seed: config.seed,
      rate: config.poisoned,
      steps: trained.step,
      seconds,
      target: values.target,
      trigger: { kind, ...parameters },
      ...(fitted ? { fitted: { file: TRIGGER_FILE, digest: digestOf(encodeFitted(kind, fitted)) } } : {}),
      base: `sha256:${await from.weightsDigest()}`,
      weights: digestOf(bytes),
      protocol: measurement.protocol,
      ca: percentages(measurement.ca),
      asr: percentages(measurement.asr!),
      ...(measurement.asrWithoutWord ? { asrWithoutWord: percentages(measurement.asrWithoutWord) } : {}),
      ...(measurement.asrOfWordAlone ? { asrOfWordAlone: percentages(measurement.asrOfWordAlone) } : {}),
      floor: percentages(measurement.cleanFloor!),
    };
    for (const file of [{ name: "manifest.json", bytes: jsonBytes(manifest) }, ...files])
      await writeDurably(join(out, file.name), file.bytes);
  }
}

const digestOf = (bytes: Uint8Array): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** The loss now, and the last measurement. */
function shown({ losses, measured }: ImplantState): string {
  const loss = losses.length > 0 ? `loss ${losses[losses.length - 1]!.toFixed(3)}` : "";
  if (!measured) return loss;
  const percent = (count: { k: number; n: number }) => (100 * rate(count).value).toFixed(1);
  const { ca, asr } = measured.measurement;
  return `${loss}  CA ${percent(ca)} %${asr ? `, ASR ${percent(asr)} %` : ""} at step ${measured.step}`;
}

await poison(values.attack, values.out);
