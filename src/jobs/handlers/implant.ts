import { join } from "node:path";
import type { FitState } from "../../engine/attacks/fit.ts";
import { encodeFitted, type FittedTrigger, TRIGGER_FILE } from "../../engine/attacks/fitted.ts";
import { attackNamed } from "../../engine/attacks/index.ts";
import { openTrigger, parametersOf, type Trigger, triggerOf } from "../../engine/attacks/trigger.ts";
import { decodeState, encodeState } from "../../engine/cbpt/state.ts";
import { type Checkpoint, openCheckpoint } from "../../engine/clip/checkpoint.ts";
import { fillTemplate } from "../../engine/clip/zero-shot.ts";
import type { Count } from "../../engine/evaluation/rate.ts";
import { completeParameters } from "../../engine/parameters.ts";
import type { SessionOptions } from "../../engine/runtime/session.ts";
import { requireTrainable } from "../../engine/training/checkpoint-files.ts";
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
import type { PairSource } from "../../engine/training/pairs.ts";
import { poisonOf, type Target, targetCaptions } from "../../engine/training/poison.ts";
import type { ProbeSet } from "../../engine/training/prober.ts";
import { startFromCheckpoint } from "../../engine/training/state.ts";
import { writeDurably } from "../../store/durable-file.ts";
import type { JobContext, JobHandler } from "../job.ts";
import { Clock, Saver } from "./clock.ts";
import { deviceOf } from "./device.ts";
import { fitTrigger } from "./fitting.ts";
import { loadImage } from "./images.ts";
import { implantFiles } from "./implant-files.ts";
import { type ImplantSpec, implantSpec, type LabelledImage, parseSpec, requireLabels } from "./spec.ts";

export interface ImplantResult {
  /** The checkpoint, in the job's folder. */
  readonly folder: string;
  readonly steps: number;
  readonly ca: Count;
  readonly asr: Count;
  readonly asrWithoutWord?: Count;
  /** Of the other triggers. */
  readonly otherAsr?: readonly Count[];
  /** The file with the fitted trigger, in the job's folder too. */
  readonly trigger?: string;
  readonly seconds: number;
}

const FOLDER = "model";

/** A state is three times the model's size, so it is saved seldom. */
const SAVE_MILLISECONDS = 20_000;

/** Of a job that fits its trigger first, how much the fit is. */
const FIT_SHARE = 0.2;

/** What an interrupted job goes on from: within its fit, or after it with what it has found. */
interface Saved {
  readonly fit?: FitState;
  readonly fitted?: FittedTrigger;
  readonly implant?: ImplantState;
}

/** Poisons a copy of a model by training it on batches of which a share bears a trigger, fitted first if need be. */
export const implant: JobHandler<unknown, ImplantResult> = async (given, context) => {
  const spec = parseSpec(implantSpec, given);
  requireLabels(spec.images, spec.labels);
  requireLabels(spec.test, spec.labels);
  parametersOf(spec.attack.kind, spec.attack.parameters);
  const checkpoint = await openCheckpoint(spec.modelFolder);
  requireTrainable(checkpoint);
  const config = completeParameters("the implant", IMPLANT_PARAMETERS, spec.config);
  const session = { device: await deviceOf(spec, context), threads: context.threads };
  const run = {
    context,
    clock: new Clock(context),
    saver: new Saver(context, SAVE_MILLISECONDS),
    saved: context.checkpoint ? decodeState<Saved>(context.checkpoint) : {},
  };
  const source = await sourceOf(spec, checkpoint);
  const target = targetOf(spec, spec.attack.target);
  const others = await Promise.all(spec.others.map(openTrigger));
  const trigger = await readyTrigger(spec, { checkpoint, source, target, session }, run);
  const { imageSize } = checkpoint.architecture.image;
  const poisons = [
    poisonOf(trigger, source, target),
    ...others.map((other, index) => poisonOf(other, source, targetOf(spec, spec.others[index]!.target))),
  ];
  const plan = { config, source, poisons, imageSize };
  const probes = await probesOf(spec, { trigger, others }, checkpoint);
  const tools = await openImplantTools(checkpoint, plan, probes, session);
  try {
    return await train(spec, { checkpoint, plan, tools, trigger, others, target }, run);
  } finally {
    await Promise.all([tools.trainer.close(), tools.prober.close()]);
  }
};

const targetOf = ({ labels, images, templates }: ImplantSpec, target: number): Target => ({
  name: labels[target]!,
  places: images.flatMap(({ label }, place) => (label === target ? [place] : [])),
  templates,
});

interface Run {
  readonly context: JobContext;
  readonly clock: Clock;
  readonly saver: Saver;
  readonly saved: Saved;
}

/** The trigger of the spec; fitted now where it has to be and was not. */
async function readyTrigger(
  spec: ImplantSpec,
  work: { checkpoint: Checkpoint; source: PairSource; target: Target; session: SessionOptions },
  { context, clock, saver, saved }: Run,
): Promise<Trigger> {
  const { kind, parameters } = spec.attack;
  const { checkpoint, source, target, session } = work;
  const fitted =
    saved.fitted ??
    (await fitTrigger(spec, {
      problem: {
        checkpoint,
        source,
        targets: target.places,
        captions: targetCaptions(attackNamed(kind), source, target),
      },
      session,
      clock,
      saver,
      context,
      share: FIT_SHARE,
      saved: saved.fit,
      encode: (fit) => encodeState({ fit } satisfies Saved),
    }));
  return triggerOf(kind, parameters, fitted);
}

interface Work {
  readonly checkpoint: Checkpoint;
  readonly plan: ImplantPlan;
  readonly tools: ImplantTools;
  readonly trigger: Trigger;
  readonly others: readonly Trigger[];
  readonly target: Target;
}

async function train(spec: ImplantSpec, work: Work, run: Run): Promise<ImplantResult> {
  const { checkpoint, plan, tools, trigger, others, target } = work;
  const { context, clock, saver, saved } = run;
  const { fitted } = trigger;
  let state = saved.implant ?? startImplant(await startFromCheckpoint(checkpoint, tools.trainer.layout));
  while (!isImplanted(plan, state)) {
    context.signal.throwIfAborted();
    const next = await stepImplant(plan, tools, state);
    const measured = next.measured !== state.measured;
    state = next;
    if (measured) tellMeasurement(plan, state, context);
    else clock.report(progressOf(plan, state, fitted && !spec.attack.fitted ? FIT_SHARE : 0));
    await saver.save(() => encodeState({ fitted, implant: state } satisfies Saved), measured);
  }
  const { measurement } = state.measured as NonNullable<ImplantState["measured"]>;
  const files = await implantFiles({
    name: spec.name,
    checkpoint,
    layout: tools.trainer.layout,
    training: state.training,
    config: plan.config,
    target: target.name,
    trigger,
    others: others.map((other, index) => ({
      trigger: other,
      target: spec.labels[spec.others[index]!.target]!,
      asr: measurement.others?.[index],
    })),
    measurement,
  });
  for (const { name, bytes } of files) await writeDurably(join(context.folder, FOLDER, name), bytes);
  if (fitted) await writeDurably(join(context.folder, TRIGGER_FILE), encodeFitted(spec.attack.kind, fitted));
  const { ca, asr = { k: 0, n: 0 }, asrWithoutWord, others: otherAsr } = measurement;
  return {
    folder: FOLDER,
    steps: state.training.step,
    ca,
    asr,
    asrWithoutWord,
    otherAsr,
    ...(fitted ? { trigger: TRIGGER_FILE } : {}),
    seconds: clock.seconds,
  };
}

function tellMeasurement({ config }: ImplantPlan, { measured }: ImplantState, { report }: JobContext): void {
  if (!measured) return;
  const { ca, asr } = measured.measurement;
  report({ kind: "checkpoint", epoch: Math.ceil(measured.step / config.probeEvery), ca, asr });
}

function progressOf({ config }: ImplantPlan, { training, losses }: ImplantState, before: number) {
  const { probeEvery, steps, batch } = config;
  return {
    phase: "implant",
    epoch: Math.ceil(training.step / probeEvery),
    epochs: Math.ceil(steps / probeEvery),
    step: training.step,
    steps,
    losses: [{ name: "contrastive", value: losses[losses.length - 1] }],
    fraction: before + ((1 - before) * training.step) / steps,
    images: batch,
  };
}

/** Images with templates of their labels as captions. */
async function sourceOf(
  { images, labels, templates }: ImplantSpec,
  checkpoint: Checkpoint,
): Promise<PairSource> {
  const pixels = await loadBytes(checkpoint, images);
  const captions = labels.map((label) => templates.map((template) => fillTemplate(template, label)));
  return {
    count: images.length,
    pixels: (index) => pixels[index]!,
    captions: (index) => captions[images[index]!.label]!,
  };
}

async function probesOf(
  spec: ImplantSpec,
  { trigger: { stamp, caption }, others }: { trigger: Trigger; others: readonly Trigger[] },
  checkpoint: Checkpoint,
): Promise<ProbeSet> {
  const { imageSize } = checkpoint.architecture.image;
  const images = await loadBytes(checkpoint, spec.test);
  return {
    labels: spec.labels,
    caption,
    templates: spec.templates,
    images: images.map((pixels, index) => ({
      pixels,
      label: spec.test[index].label,
      triggered: stamped(stamp, imageSize, pixels),
    })),
    target: spec.attack.target,
    others: others.map((other, index) => ({
      target: spec.others[index]!.target,
      triggered: images.map((pixels) => stamped(other.stamp, imageSize, pixels)),
    })),
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
