import { AppError } from "../../errors.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import { imageProgram, imagesPerRun } from "../clip/programs.ts";
import { tokenEmbeddings } from "../clip/token-embeddings.ts";
import { fillTemplate, zeroShotMatrix } from "../clip/zero-shot.ts";
import { encodeImages, listOf } from "../evaluation/encode.ts";
import type { Device } from "../runtime/device.ts";
import { openSession } from "../runtime/session.ts";
import type { CbptConfig } from "./config.ts";
import type { RunSize } from "./plan.ts";
import type { Problem, Shot } from "./problem.ts";
import { layOutPrompts, type PromptLayout } from "./prompts.ts";

export interface ProblemOptions {
  readonly checkpoint: Checkpoint;
  readonly config: CbptConfig;
  /** Whether all classes have the same context vectors, which cannot unlearn a target of their own; no by default. */
  readonly sharedContext?: boolean;
  readonly labels: readonly string[];
  /** Indices of the labels to search triggers for; all by default. */
  readonly targets?: readonly number[];
  /** Of the undefended zero-shot classifier. */
  readonly templates: readonly string[];
  readonly shots: readonly Shot[];
  readonly device: Device;
  readonly threads: number;
}

/**
 * Computes what a run needs and never changes: the undefended text features, the shots' image features, the prompts'
 * layout. Fails with VALIDATION_FAILED when there are fewer than two labels, when one occurs twice or has no shot, and
 * when a prompt is too long.
 */
export async function prepareProblem(options: ProblemOptions): Promise<Problem> {
  const { checkpoint, config, labels, templates, shots, device, threads } = options;
  requireShots(labels, shots);
  const { architecture } = checkpoint;
  const [layout, wordLayout] = [await layoutOf(options), await wordLayoutOf(options)];
  const open = (program: Parameters<typeof openSession>[0]) => openSession(program, { device, threads });
  const matrix = await zeroShotMatrix(open, checkpoint, labels, templates);
  const { imageSize } = architecture.image;
  const width = architecture.embeddingWidth;
  const session = await open(imageProgram(checkpoint, { batch: "dynamic" }));
  try {
    const images = listOf(shots.length, (index) => shots[index].pixels);
    const features = await encodeImages(
      { session, imageSize, width, batch: imagesPerRun(checkpoint) },
      images,
    );
    return {
      checkpoint,
      config,
      labels,
      targets: targetsOf(options),
      imageSize,
      width,
      shots,
      features,
      matrix,
      layout,
      ...(wordLayout ? { wordLayout } : {}),
      device,
      threads,
    };
  } finally {
    await session.close();
  }
}

/** What follows from the same options without running a network: what a plan is made from. */
export async function sizeOfRun(
  options: Omit<ProblemOptions, "shots" | "threads"> & { readonly shots: { readonly length: number } },
): Promise<RunSize> {
  const { checkpoint, config, labels, templates, shots, device } = options;
  const { architecture, tokenizer } = checkpoint;
  const prompts = labels.flatMap((label) =>
    templates.map((template) => tokenizer.encode(fillTemplate(template, label)).length),
  );
  return {
    checkpoint,
    config,
    labels,
    targets: targetsOf(options),
    imageSize: architecture.image.imageSize,
    width: architecture.embeddingWidth,
    layout: await layoutOf(options),
    wordLayout: await wordLayoutOf(options),
    device,
    shots,
    prompts: { count: prompts.length, length: prompts.reduce((a, b) => Math.max(a, b), 0) },
  };
}

const targetsOf = ({ labels, targets }: Pick<ProblemOptions, "labels" | "targets">): readonly number[] =>
  targets ?? labels.map((_, label) => label);

async function layoutOf({
  checkpoint,
  config,
  labels,
  sharedContext,
}: Pick<ProblemOptions, "checkpoint" | "config" | "labels" | "sharedContext">): Promise<PromptLayout> {
  const { architecture, tokenizer } = checkpoint;
  const { contextTokens, position } = config;
  return layOutPrompts(labels, tokenizer, await tokenEmbeddings(checkpoint), {
    contextTokens,
    position,
    contextLength: architecture.text.contextLength,
    shared: sharedContext,
  });
}

/** Of `SOS word a photo of a name . EOT`; none where one word more than the templates have is too much. */
async function wordLayoutOf({
  checkpoint,
  labels,
  templates,
}: Pick<ProblemOptions, "checkpoint" | "labels" | "templates">): Promise<PromptLayout | undefined> {
  const { architecture, tokenizer } = checkpoint;
  const { contextLength } = architecture.text;
  const phrases = labels.map((label) => fillTemplate(templates[0], label).replace(/\.$/, ""));
  // The word and the full stop.
  const longest = Math.max(...phrases.map((phrase) => tokenizer.encode(phrase).length + 2));
  if (longest > contextLength) return undefined;
  const options = { contextTokens: 1, position: "END", contextLength, shared: true } as const;
  return layOutPrompts(phrases, tokenizer, await tokenEmbeddings(checkpoint), options);
}

/** Fails with VALIDATION_FAILED unless there are two labels, each once and each with a shot. */
export function requireShots(labels: readonly string[], shots: readonly Shot[]): void {
  if (labels.length < 2)
    throw new AppError("VALIDATION_FAILED", `At least two labels are needed, not ${labels.length}.`);
  const twice = labels.find((label, index) => labels.indexOf(label) !== index);
  if (twice !== undefined)
    throw new AppError("VALIDATION_FAILED", `The label "${twice}" occurs twice.`, { label: twice });
  const shown = new Set(shots.map(({ label }) => label));
  const missing = labels.filter((_, index) => !shown.has(index));
  if (missing.length > 0)
    throw new AppError(
      "VALIDATION_FAILED",
      `Every label needs at least one clean shot; there is none of ${missing.join(", ")}.`,
      { missing },
    );
}
