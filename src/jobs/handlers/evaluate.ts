import { access } from "node:fs/promises";
import { join } from "node:path";
import { TRIGGER_FILE } from "../../engine/attacks/fitted.ts";
import { openTrigger, type Trigger } from "../../engine/attacks/trigger.ts";
import { type GuardedText, undefendedText } from "../../engine/cbpt/guard.ts";
import { readText, requireShape, TENSORS } from "../../engine/cbpt/prompt-tensors.ts";
import { type Checkpoint, openCheckpoint } from "../../engine/clip/checkpoint.ts";
import { imageProgram, imagesPerRun } from "../../engine/clip/programs.ts";
import { readSafetensors } from "../../engine/clip/safetensors.ts";
import { zeroShotMatrix } from "../../engine/clip/zero-shot.ts";
import { type Measurement, measure, type Outcome } from "../../engine/evaluation/protocol.ts";
import type { Program } from "../../engine/runtime/program.ts";
import { openSession } from "../../engine/runtime/session.ts";
import { answersWithSecondLook, type ScalingEncoder } from "../../engine/second-look/answers.ts";
import { AppError } from "../../errors.ts";
import type { JobContext, JobHandler } from "../job.ts";
import { Clock } from "./clock.ts";
import { deviceOf } from "./device.ts";
import { loadImage } from "./images.ts";
import { type EvaluateSpec, evaluateSpec, parseSpec, requireLabels } from "./spec.ts";

/** Images that are decoded, encoded and forgotten together. */
const BATCH = 64;

/** Measures a classifier on labelled images, clean and, if an attack is given, with its trigger. */
export const evaluate: JobHandler<unknown, Measurement> = async (given, context) => {
  const spec = parseSpec(evaluateSpec, given);
  requireLabels(spec.images, spec.labels);
  const trigger = await triggerOf(spec);
  const caption = captionOf(spec, trigger);
  const checkpoint = await openCheckpoint(spec.modelFolder);
  const options = { device: await deviceOf(spec, context), threads: context.threads };
  const open = (program: Program) => openSession(program, options);
  const text = await classifier(spec, checkpoint, open);
  const worded = caption ? await classifier(spec, checkpoint, open, caption) : text;
  const { embeddingWidth: width, image } = checkpoint.architecture;
  const session = await open(imageProgram(checkpoint, { batch: "dynamic" }));
  try {
    const encoder = {
      session,
      imageSize: image.imageSize,
      width,
      batch: imagesPerRun(checkpoint),
      logitScale: checkpoint.logitScale,
    };
    const outcomes = await predictAll(spec, checkpoint, { encoder, text, worded, trigger }, context);
    return measure(outcomes, spec.labels.length, spec.attack?.target);
  } finally {
    await session.close();
  }
};

async function triggerOf({ attack, labels, modelFolder }: EvaluateSpec): Promise<Trigger | undefined> {
  if (attack === undefined) return undefined;
  if (attack.target >= labels.length)
    throw new AppError(
      "VALIDATION_FAILED",
      `The target ${attack.target} is not one of ${labels.length} labels.`,
    );
  // A suspect that was poisoned here has its fitted trigger beside it.
  const beside = join(modelFolder, TRIGGER_FILE);
  const fitted = attack.fitted ?? ((await exists(beside)) ? beside : undefined);
  return openTrigger({ ...attack, fitted });
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** What the trigger makes of every prompt. Fails with VALIDATION_FAILED for prompts that take no word. */
function captionOf({ attack, through }: EvaluateSpec, trigger: Trigger | undefined): Trigger["caption"] {
  const { withWord = through.kind === "templates" } = attack ?? {};
  if (!withWord) return undefined;
  if (through.kind === "templates") return trigger?.caption;
  if (!trigger?.caption) return undefined;
  throw new AppError(
    "VALIDATION_FAILED",
    "The prompts of a version are tuned as they are and take no word before them. Evaluate templates with the word, or leave `withWord` out.",
  );
}

/** What to score with, of templates changed by `caption`. Fails with INCOMPATIBLE_MODEL when text features do not fit. */
async function classifier(
  { through, labels }: EvaluateSpec,
  checkpoint: Checkpoint,
  open: (program: Program) => ReturnType<typeof openSession>,
  caption = (template: string) => template,
): Promise<GuardedText> {
  const undefendedBy = (templates: readonly string[]) =>
    zeroShotMatrix(
      open,
      checkpoint,
      labels,
      templates.map((template) => caption(template)),
    );
  if (through.kind === "templates") return undefendedText(await undefendedBy(through.templates));
  const file = await readSafetensors(through.matrix);
  requireShape(file, TENSORS.features, [labels.length, checkpoint.architecture.embeddingWidth]);
  const text = await readText(file);
  if ((!text.recovery && !text.suspected) || !through.templates) return undefendedText(text.purified);
  return { ...text, undefended: await undefendedBy(through.templates) };
}

async function predictAll(
  { images }: EvaluateSpec,
  checkpoint: Checkpoint,
  {
    encoder,
    text,
    worded,
    trigger,
  }: { encoder: ScalingEncoder; text: GuardedText; worded: GuardedText; trigger?: Trigger },
  context: JobContext,
): Promise<Outcome[]> {
  const clock = new Clock(context);
  const predict = (pixels: readonly Float32Array[], by: GuardedText) =>
    answersWithSecondLook(encoder, pixels, by);
  const outcomes: Outcome[] = [];
  while (outcomes.length < images.length) {
    context.signal.throwIfAborted();
    const start = outcomes.length;
    const part = images.slice(start, start + BATCH);
    const pixels = await Promise.all(part.map((image, index) => loadImage(checkpoint, image, start + index)));
    const clean = await predict(pixels, text);
    // The trigger goes onto the model's own input, as in the literature.
    const triggered =
      trigger &&
      (await predict(
        pixels.map((data) => trigger.stamp({ ...encoder.imageSize, data }).data),
        worded,
      ));
    part.forEach(({ label }, index) => {
      outcomes.push({ label, clean: clean[index], triggered: triggered?.[index] });
    });
    clock.report({
      phase: "evaluate",
      epoch: 1,
      epochs: 1,
      step: outcomes.length,
      steps: images.length,
      losses: [],
      fraction: outcomes.length / images.length,
      images: part.length * (trigger ? 2 : 1),
    });
  }
  return outcomes;
}
