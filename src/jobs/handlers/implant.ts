import { createHash } from "node:crypto";
import { join } from "node:path";
import { attackNamed } from "../../engine/attacks/index.ts";
import { decodeState, encodeState } from "../../engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../engine/clip/checkpoint.ts";
import { fillTemplate } from "../../engine/clip/zero-shot.ts";
import type { Measurement } from "../../engine/evaluation/protocol.ts";
import type { Count } from "../../engine/evaluation/rate.ts";
import { completeParameters } from "../../engine/parameters.ts";
import { requireTrainable, trainedFiles } from "../../engine/training/checkpoint-files.ts";
import {
  IMPLANT_PARAMETERS,
  type ImplantPlan,
  type ImplantState,
  type ImplantTools,
  isImplanted,
  stamped,
  startImplant,
  stepImplant,
} from "../../engine/training/implant.ts";
import { openImplantTools } from "../../engine/training/implant-tools.ts";
import type { ProbeSet } from "../../engine/training/prober.ts";
import { startFromCheckpoint } from "../../engine/training/state.ts";
import { writeDurably } from "../../store/durable-file.ts";
import type { JobContext, JobHandler } from "../job.ts";
import { Clock, Saver } from "./clock.ts";
import { deviceOf } from "./device.ts";
import { loadImage } from "./images.ts";
import { type ImplantSpec, implantSpec, type LabelledImage, parseSpec, requireLabels } from "./spec.ts";

export interface ImplantResult {
  /** The checkpoint, in the job's folder. */
  readonly folder: string;
  readonly steps: number;
  readonly ca: Count;
  readonly asr: Count;
  readonly seconds: number;
}

const FOLDER = "model";

/** A state is three times the model's size, so it is saved seldom. */
const SAVE_MILLISECONDS = 20_000;

/** Poisons a copy of a model by training it on batches of which a share bears a trigger. */
export const implant: JobHandler<unknown, ImplantResult> = async (given, context) => {
  const spec = parseSpec(implantSpec, given);
  requireLabels(spec.images, spec.labels);
  requireLabels(spec.test, spec.labels);
  const checkpoint = await openCheckpoint(spec.modelFolder);
  requireTrainable(checkpoint);
  const plan = await planOf(spec, checkpoint);
  const probes = await probesOf(spec, plan, checkpoint);
  const device = await deviceOf(spec, context);
  const tools = await openImplantTools(checkpoint, plan, probes, { device, threads: context.threads });
  try {
    return await run(spec, { checkpoint, plan, tools }, context);
  } finally {
    await Promise.all([tools.trainer.close(), tools.prober.close()]);
  }
};

interface Work {
  readonly checkpoint: Checkpoint;
  readonly plan: ImplantPlan;
  readonly tools: ImplantTools;
}

async function run(spec: ImplantSpec, work: Work, context: JobContext): Promise<ImplantResult> {
  const { checkpoint, plan, tools } = work;
  const [clock, saver] = [new Clock(context), new Saver(context, SAVE_MILLISECONDS)];
  let state = context.checkpoint
    ? decodeState<ImplantState>(context.checkpoint)
    : startImplant(await startFromCheckpoint(checkpoint, tools.trainer.layout));
  while (!isImplanted(plan, state)) {
    context.signal.throwIfAborted();
    const next = await stepImplant(plan, tools, state);
    const measured = next.measured !== state.measured;
    state = next;
    if (measured) tellMeasurement(plan, state, context);
    else clock.report(progressOf(plan, state));
    await saver.save(() => encodeState(state), measured);
  }
  const { measurement } = state.measured as NonNullable<ImplantState["measured"]>;
  await writeCheckpoint(spec, work, state, measurement, context);
  const { ca, asr = { k: 0, n: 0 } } = measurement;
  return { folder: FOLDER, steps: state.training.step, ca, asr, seconds: clock.seconds };
}

function tellMeasurement({ config }: ImplantPlan, { measured }: ImplantState, { report }: JobContext): void {
  if (!measured) return;
  const { ca, asr } = measured.measurement;
  report({ kind: "checkpoint", epoch: Math.ceil(measured.step / config.probeEvery), ca, asr });
}

function progressOf({ config }: ImplantPlan, { training, losses }: ImplantState) {
  const { probeEvery, steps, batch } = config;
  return {
    phase: "implant",
    epoch: Math.ceil(training.step / probeEvery),
    epochs: Math.ceil(steps / probeEvery),
    step: training.step,
    steps,
    losses: [{ name: "contrastive", value: losses[losses.length - 1] }],
    fraction: training.step / steps,
    images: batch,
  };
}

async function planOf(spec: ImplantSpec, checkpoint: Checkpoint): Promise<ImplantPlan> {
  const { kind, parameters } = spec.attack;
  const attack = attackNamed(kind);
  const complete = completeParameters(`attack "${kind}"`, attack.defaults, parameters);
  const images = await loadBytes(checkpoint, spec.images);
  const captions = spec.labels.map((label) =>
    spec.templates.map((template) => fillTemplate(template, label)),
  );
  return {
    config: completeParameters("the implant", IMPLANT_PARAMETERS, spec.config),
    source: {
      count: images.length,
      pixels: (index) => images[index],
      captions: (index) => captions[spec.images[index].label],
    },
    stamp: (image) => attack.apply(image, { parameters: complete }),
    imageSize: checkpoint.architecture.image.imageSize,
    target: spec.labels[spec.attack.target],
    captionTemplates: spec.templates,
  };
}

async function probesOf(spec: ImplantSpec, plan: ImplantPlan, checkpoint: Checkpoint): Promise<ProbeSet> {
  const images = await loadBytes(checkpoint, spec.test);
  return {
    labels: spec.labels,
    templates: spec.templates,
    images: images.map((pixels, index) => ({
      pixels,
      label: spec.test[index].label,
      triggered: stamped(plan, pixels),
    })),
    target: spec.attack.target,
  };
}

/** Images as bytes [3, H, W], a quarter of what numbers would take. */
async function loadBytes(checkpoint: Checkpoint, images: readonly LabelledImage[]): Promise<Uint8Array[]> {
  const loaded: Uint8Array[] = [];
  for (const [index, image] of images.entries())
    loaded.push(
      Uint8Array.from(await loadImage(checkpoint, image, index), (value) => Math.round(value * 255)),
    );
  return loaded;
}

/** The poisoned checkpoint and, for people and tests, a manifest of what was done and measured. */
async function writeCheckpoint(
  spec: ImplantSpec,
  { checkpoint, plan, tools }: Work,
  { training }: ImplantState,
  measurement: Measurement,
  context: JobContext,
): Promise<void> {
  const files = await trainedFiles(checkpoint, tools.trainer.layout, training);
  const { seed, poisoned } = plan.config;
  const manifest = {
    name: spec.name,
    seed,
    rate: poisoned,
    steps: training.step,
    target: plan.target,
    trigger: { kind: spec.attack.kind, ...spec.attack.parameters },
    config: plan.config,
    base: `sha256:${await checkpoint.weightsDigest()}`,
    weights: `sha256:${createHash("sha256")
      .update(files[files.length - 1].bytes)
      .digest("hex")}`,
    protocol: measurement.protocol,
    ca: measurement.ca,
    asr: measurement.asr,
    floor: measurement.cleanFloor,
  };
  const text = new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
  for (const { name, bytes } of [{ name: "manifest.json", bytes: text }, ...files])
    await writeDurably(join(context.folder, FOLDER, name), bytes);
}
