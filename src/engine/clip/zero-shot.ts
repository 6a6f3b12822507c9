import { setImmediate as nextTurn } from "node:timers/promises";
import { AppError } from "../../errors.ts";
import { float32, type Tensor } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import type { Session } from "../runtime/session.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { textProgram } from "./programs.ts";
import { type TokenEmbeddings, tokenEmbeddings } from "./token-embeddings.ts";

/** What stands for the label in a template. */
const PLACEHOLDER = "{}";

/** Sentences that label most photographs; their embeddings are averaged. */
export const DEFAULT_TEMPLATES: readonly string[] = [
  "a photo of a {}.",
  "a picture of a {}.",
  "an image of a {}.",
  "a good photo of a {}.",
  "a {}.",
];

/** Most prompts in one run of the text tower. */
const PROMPTS_PER_RUN = 64;

/** Most prompts that are tokenized before anything else has its turn: a few milliseconds' work. */
const TOKENIZED_AT_ONCE = 32;

/** Prompts as the text tower takes them, cut to the longest end of text. */
export interface EncodedPrompts {
  readonly length: number;
  /** [C, L, d] */
  readonly tokens: Tensor;
  /** [C, L, 1] */
  readonly endOfText: Tensor;
}

/** Throws VALIDATION_FAILED for a template without the placeholder or with two. */
export function fillTemplate(template: string, label: string): string {
  const parts = template.split(PLACEHOLDER);
  if (parts.length !== 2) {
    const message = `The template ${JSON.stringify(template)} must contain {} exactly once, for the label.`;
    throw new AppError("VALIDATION_FAILED", message, { template });
  }
  return parts.join(label);
}

/** Looks token ids up and pads them to `length`, by default the longest; what follows the end of text is not seen. */
export function encodePrompts(
  prompts: readonly (readonly number[])[],
  embeddings: TokenEmbeddings,
  length = Math.max(...prompts.map((ids) => ids.length)),
): EncodedPrompts {
  const { width } = embeddings;
  const tokens = new Float32Array(prompts.length * length * width);
  const endOfText = new Float32Array(prompts.length * length);
  prompts.forEach((ids, prompt) => {
    ids.forEach((id, position) => {
      tokens.set(embeddings.row(id), (prompt * length + position) * width);
    });
    endOfText[prompt * length + ids.length - 1] = 1;
  });
  return {
    length,
    tokens: float32([prompts.length, length, width], tokens),
    endOfText: float32([prompts.length, length, 1], endOfText),
  };
}

/**
 * The undefended classifier [C, D]: for every label the mean of its templates' normalised embeddings, normalised
 * again. `open` compiles the text tower, for example `(program) => openSession(program, { device, threads })`. Fails
 * with the signal's reason when that aborts.
 */
export async function zeroShotMatrix(
  open: (program: Program) => Promise<Session>,
  checkpoint: Checkpoint,
  labels: readonly string[],
  templates: readonly string[] = DEFAULT_TEMPLATES,
  signal?: AbortSignal,
): Promise<Float32Array> {
  if (labels.length === 0 || templates.length === 0) {
    throw new AppError("VALIDATION_FAILED", "A classifier needs at least one label and one template.");
  }
  const prompts = await tokenize(checkpoint, labels, templates, signal);
  const embeddings = await embedPrompts(open, checkpoint, prompts, signal);
  return averageGroups(embeddings, checkpoint.architecture.embeddingWidth, templates.length);
}

/** Every label in every template. Servers do it on the thread that answers, so it gives way again and again. */
async function tokenize(
  { tokenizer }: Checkpoint,
  labels: readonly string[],
  templates: readonly string[],
  signal: AbortSignal | undefined,
): Promise<number[][]> {
  const prompts: number[][] = [];
  for (const label of labels)
    for (const template of templates) {
      prompts.push(tokenizer.encode(fillTemplate(template, label)));
      if (prompts.length % TOKENIZED_AT_ONCE > 0) continue;
      await nextTurn();
      signal?.throwIfAborted();
    }
  return prompts;
}

/** Normalised embeddings [n, D] of tokenized prompts; every run has the same shape, so one session does. */
export async function embedPrompts(
  open: (program: Program) => Promise<Session>,
  checkpoint: Checkpoint,
  prompts: readonly (readonly number[])[],
  signal?: AbortSignal,
): Promise<Float32Array> {
  const table = await tokenEmbeddings(checkpoint);
  const width = checkpoint.architecture.embeddingWidth;
  const classes = Math.min(prompts.length, PROMPTS_PER_RUN);
  const length = prompts.reduce((longest, ids) => Math.max(longest, ids.length), 0);
  const session = await open(textProgram(checkpoint, { classes, length }));
  try {
    const result = new Float32Array(prompts.length * width);
    for (let start = 0; start < prompts.length; start += classes) {
      signal?.throwIfAborted();
      const part = prompts.slice(start, start + classes);
      const filled = [...part, ...Array.from({ length: classes - part.length }, () => part[0])];
      const { tokens, endOfText } = encodePrompts(filled, table, length);
      const { embedding } = await session.run({ tokens, endOfText });
      result.set((embedding.data as Float32Array).subarray(0, part.length * width), start * width);
    }
    return result;
  } finally {
    await session.close();
  }
}

/** Means of `count` consecutive rows, normalised: [C · count, D] to [C, D]. */
export function averageGroups(rows: Float32Array, width: number, count: number): Float32Array {
  const groups = rows.length / (width * count);
  const matrix = new Float32Array(groups * width);
  for (let group = 0; group < groups; group++) {
    const mean = new Float64Array(width);
    for (let row = 0; row < count; row++) {
      const from = (group * count + row) * width;
      for (let index = 0; index < width; index++) mean[index] += rows[from + index];
    }
    const norm = Math.hypot(...mean);
    matrix.set(
      mean.map((value) => value / norm),
      group * width,
    );
  }
  return matrix;
}

export interface Scores {
  /** [C]: the logit scale times the cosine. */
  readonly logits: Float32Array;
  /** [C]: their softmax. */
  readonly probabilities: Float32Array;
}

/** Scores one normalised embedding [D] against a normalised matrix [C, D]. */
export function score(embedding: Float32Array, matrix: Float32Array, logitScale: number): Scores {
  const width = embedding.length;
  const logits = new Float32Array(matrix.length / width);
  for (let row = 0, at = 0; row < logits.length; row++) {
    let cosine = 0;
    for (let index = 0; index < width; index++, at++) cosine += embedding[index] * matrix[at];
    logits[row] = logitScale * cosine;
  }
  return { logits, probabilities: softmax(logits) };
}

/** e^(x − max x) over its sum: no logit overflows. */
export function softmax(logits: Float32Array): Float32Array {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  const powers = new Float64Array(logits.length);
  let sum = 0;
  for (let index = 0; index < logits.length; index++) {
    powers[index] = Math.exp(logits[index] - highest);
    sum += powers[index];
  }
  const probabilities = new Float32Array(logits.length);
  for (let index = 0; index < logits.length; index++) probabilities[index] = powers[index] / sum;
  return probabilities;
}

export interface Ranked {
  readonly index: number;
  readonly probability: number;
}

/** The k most probable classes, best first; equal ones in their order. */
export function topK(probabilities: Float32Array, k: number): Ranked[] {
  const best: Ranked[] = [];
  for (let index = 0; index < probabilities.length; index++) {
    const probability = probabilities[index];
    if (best.length >= k && !(probability > (best.at(-1)?.probability ?? Number.POSITIVE_INFINITY))) continue;
    const place = best.findLastIndex((other) => other.probability >= probability) + 1;
    best.splice(place, 0, { index, probability });
    if (best.length > k) best.pop();
  }
  return best;
}

/** How far the best class is ahead of the next, in probability; all of it where there is only one. */
export function margin(probabilities: Float32Array): number {
  const [best, next] = topK(probabilities, 2);
  return (best?.probability ?? 0) - (next?.probability ?? 0);
}
