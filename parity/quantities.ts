import type { Problem } from "../src/engine/cbpt/problem.ts";
import type { Checkpoint } from "../src/engine/clip/checkpoint.ts";
import { textProgram } from "../src/engine/clip/programs.ts";
import { tokenEmbeddings } from "../src/engine/clip/token-embeddings.ts";
import { encodePrompts } from "../src/engine/clip/zero-shot.ts";
import type { Device } from "../src/engine/runtime/device.ts";
import { openSession } from "../src/engine/runtime/session.ts";
import { noise } from "./generator.ts";
import { INPUTS } from "./inputs.ts";
import { OBJECTIVES, type ObjectiveName } from "./objectives.ts";
import { problemOf, withBench } from "./problem.ts";

/**
 * What is compared, in words. Losses and gradients are those of class-wise backdoor prompt tuning in both modes: of the
 * inversion by the triggers' pixels, of the tuning by the context vectors.
 */
export const QUANTITIES = {
  imageEmbeddings: "image embeddings",
  textEmbeddings: "text embeddings, whole context",
  zeroShot: "text embeddings, cut, mean of templates",
  promptFeatures: "text embeddings, cut, of context vectors",
  publishedInversionLosses: "inversion loss, published",
  publishedInversionGradient: "inversion gradient, published",
  universalInversionLosses: "inversion losses, universal",
  universalInversionGradient: "inversion gradient, universal",
  publishedTuningLosses: "tuning losses, published",
  publishedTuningGradient: "tuning gradient, published",
  universalTuningLosses: "tuning losses, universal",
  universalTuningGradient: "tuning gradient, universal",
} as const;

export type Quantity = keyof typeof QUANTITIES;

/** What the engine answers, and how far text embeddings move when prompts are cut after their end. */
export interface Answers {
  readonly values: Readonly<Record<Quantity, Float32Array>>;
  /** [n, D] each, of the same prompts. */
  readonly texts: { readonly whole: Float32Array; readonly cut: Float32Array };
}

/** Where to compute, and the library's features: so a loss is compared on its own and not for what it was given. */
export interface Given {
  readonly device: Device;
  /** [N, D] of the images. */
  readonly features: Float32Array;
  /** [C, D]: the undefended classifier. */
  readonly matrix: Float32Array;
}

/** How often `answersOf` advances. */
export const STEPS = 3 + Object.keys(OBJECTIVES).length;

/** Computes every quantity with the very functions that a purification runs; `advance` is called after each part. */
export async function answersOf(
  checkpoint: Checkpoint,
  { device, ...features }: Given,
  advance: () => void = () => {},
): Promise<Answers> {
  const done = <Value>(value: Value): Value => {
    advance();
    return value;
  };
  const own = done(await problemOf(checkpoint, device));
  const texts = done(await embedTexts(checkpoint, device));
  const problem = { ...own, ...features };
  const promptFeatures = done(await featuresOfContexts(problem));
  const steps: Partial<Record<Quantity, Float32Array>> = {};
  for (const name of Object.keys(OBJECTIVES) as ObjectiveName[]) {
    const { losses, gradient } = done(await stepOf(problem, name));
    steps[`${name}Losses`] = losses;
    steps[`${name}Gradient`] = gradient;
  }
  const embeddings = { imageEmbeddings: own.features, zeroShot: own.matrix, promptFeatures };
  return {
    values: { ...(steps as Record<Quantity, Float32Array>), ...embeddings, textEmbeddings: texts.all },
    texts,
  };
}

const featuresOfContexts = (problem: Problem) =>
  withBench(problem, (bench) => {
    const { slots, width } = problem.layout;
    return bench.textFeatures(noise("contexts", slots.length * width, INPUTS.contexts.size));
  });

const stepOf = (problem: Problem, name: ObjectiveName) =>
  withBench(problem, (bench) => {
    const { start, at } = OBJECTIVES[name](bench);
    return at(start);
  });

/** The prompts at full length, the long one last, and without it cut. */
export async function embedTexts(
  checkpoint: Checkpoint,
  device: Device,
): Promise<Answers["texts"] & { readonly all: Float32Array }> {
  const { tokenizer, architecture } = checkpoint;
  const prompts = [...INPUTS.prompts, INPUTS.longPrompt].map(tokenizer.encode);
  const short = prompts.slice(0, INPUTS.prompts.length);
  const all = await embedPrompts(checkpoint, device, prompts, tokenizer.contextLength);
  const cut = await embedPrompts(checkpoint, device, short, Math.max(...short.map((ids) => ids.length)));
  return { all, whole: all.subarray(0, short.length * architecture.embeddingWidth), cut };
}

async function embedPrompts(
  checkpoint: Checkpoint,
  device: Device,
  prompts: readonly (readonly number[])[],
  length: number,
): Promise<Float32Array> {
  const { tokens, endOfText } = encodePrompts(prompts, await tokenEmbeddings(checkpoint), length);
  const program = textProgram(checkpoint, { classes: prompts.length, length });
  const session = await openSession(program, { device, threads: 1 });
  try {
    return (await session.run({ tokens, endOfText })).embedding!.data as Float32Array;
  } finally {
    await session.close();
  }
}
