import type { Checkpoint } from "../clip/checkpoint.ts";
import { textProgram } from "../clip/programs.ts";
import { tokenRows } from "../clip/token-embeddings.ts";
import { float32 } from "../onnx/tensor.ts";
import type { Program } from "../runtime/program.ts";
import type { Session } from "../runtime/session.ts";
import type { Position } from "./config.ts";
import { assembleTokens, layOutPrompts, type PromptLayout } from "./prompts.ts";

/** Learned prompts of C classes, wherever they were learned. */
export interface LearnedPrompts {
  readonly labels: readonly string[];
  /** M */
  readonly contextTokens: number;
  readonly position: Position;
  /** [C, M, d] */
  readonly contexts: Float32Array;
}

/** Most prompts in one run of the text tower. */
const PROMPTS_PER_RUN = 64;

/** The prompts' fixed tokens in a checkpoint, of whose table only the rows that occur are read. */
export async function layOutFor(
  checkpoint: Checkpoint,
  { labels, contextTokens, position }: Omit<LearnedPrompts, "contexts">,
): Promise<PromptLayout> {
  const { tokenizer, architecture } = checkpoint;
  const ids = new Set([...labels, "."].flatMap((text) => tokenizer.encode(text)));
  const { contextLength } = architecture.text;
  const embeddings = await tokenRows(checkpoint, [...ids]);
  return layOutPrompts(labels, tokenizer, embeddings, { contextTokens, position, contextLength });
}

/**
 * Normalised text features [C, D] that the prompts have in a checkpoint. `open` compiles the text tower. Fails with
 * VALIDATION_FAILED where a prompt is longer than the tower reads.
 */
export async function promptFeatures(
  open: (program: Program) => Promise<Session>,
  checkpoint: Checkpoint,
  prompts: LearnedPrompts,
): Promise<Float32Array> {
  const layout = await layOutFor(checkpoint, prompts);
  const tokens = assembleTokens(layout, prompts.contexts);
  const { classes: count, length, width, endOfText } = layout;
  const depth = checkpoint.architecture.embeddingWidth;
  const classes = Math.min(count, PROMPTS_PER_RUN);
  const session = await open(textProgram(checkpoint, { classes, length }));
  try {
    const features = new Float32Array(count * depth);
    for (let done = 0; done < count; done += classes) {
      // The last run is as long as the others and overlaps the one before.
      const start = Math.min(done, count - classes);
      const part = (values: Float32Array, size: number) =>
        values.slice(start * size, (start + classes) * size);
      const { embedding } = await session.run({
        tokens: float32([classes, length, width], part(tokens, length * width)),
        endOfText: float32([classes, length, 1], part(endOfText, length)),
      });
      features.set(embedding.data as Float32Array, start * depth);
    }
    return features;
  } finally {
    await session.close();
  }
}
