import { AppError } from "../../errors.ts";
import { type Random, randomStream } from "../random.ts";
import type { CbptConfig, Position } from "./config.ts";

/** What prompts need of a checkpoint's tokenizer. */
export interface PromptTokenizer {
  /** Token ids with the start and the end of text around them. */
  encode(text: string): number[];
}

/** What prompts need of a checkpoint's token embedding. */
export interface PromptEmbeddings {
  row(id: number): Float32Array;
  readonly width: number;
}

/**
 * Prompts of C classes with room for M context vectors each, cut to L = the longest end-of-text position + 1 (the
 * text tower is causal, so what would follow changes nothing).
 */
export interface PromptLayout {
  readonly classes: number;
  readonly contextTokens: number;
  readonly length: number;
  readonly width: number;
  /** [C, L, d]: the fixed tokens, with zeros where the context vectors go and after the end of text. */
  readonly base: Float32Array;
  /** [C, L, 1]: 1 at each class's end of text. */
  readonly endOfText: Float32Array;
  /** [C, M]: the position of each context vector. */
  readonly slots: Int32Array;
  /** Whether all classes share their context vectors, of which there are then [1, M, d] instead of [C, M, d]. */
  readonly shared: boolean;
}

/** A place in a prompt: a token id, or the m-th context vector. */
type Piece = { readonly token: number } | { readonly context: number };

/**
 * Lays out `SOS V1..VM name . EOT` (END), `SOS V.. name V.. . EOT` (MIDDLE, half of the vectors on each side) or
 * `SOS name V1..VM . EOT` (FRONT) for each label. Fails with VALIDATION_FAILED when a prompt does not fit into the
 * context length.
 */
export function layOutPrompts(
  labels: readonly string[],
  tokenizer: PromptTokenizer,
  embeddings: PromptEmbeddings,
  options: { contextTokens: number; position: Position; contextLength: number; shared?: boolean },
): PromptLayout {
  const prompts = labels.map((label) => pieces(label, tokenizer, options));
  const length = Math.max(...prompts.map((prompt) => prompt.length));
  const { contextTokens, contextLength, shared = false } = options;
  if (length > contextLength) {
    const label = labels[prompts.findIndex((prompt) => prompt.length === length)];
    throw new AppError(
      "VALIDATION_FAILED",
      `The prompt of "${label}" takes ${length} tokens and the model reads ${contextLength}. Use fewer context tokens or a shorter label.`,
      { label, length, contextLength },
    );
  }
  const width = embeddings.width;
  const base = new Float32Array(labels.length * length * width);
  const endOfText = new Float32Array(labels.length * length);
  const slots = new Int32Array(labels.length * contextTokens);
  prompts.forEach((prompt, index) => {
    endOfText[index * length + prompt.length - 1] = 1;
    prompt.forEach((piece, position) => {
      if ("context" in piece) slots[index * contextTokens + piece.context] = position;
      else base.set(embeddings.row(piece.token), (index * length + position) * width);
    });
  });
  return { classes: labels.length, contextTokens, length, width, base, endOfText, slots, shared };
}

function pieces(
  label: string,
  tokenizer: PromptTokenizer,
  { contextTokens, position }: { contextTokens: number; position: Position },
): Piece[] {
  const encoded = tokenizer.encode(label);
  const asPieces = (tokens: readonly number[]): Piece[] => tokens.map((token) => ({ token }));
  const start = asPieces(encoded.slice(0, 1));
  const name = asPieces(encoded.slice(1, -1));
  const end = asPieces([...tokenizer.encode(".").slice(1, -1), ...encoded.slice(-1)]);
  const contexts: Piece[] = Array.from({ length: contextTokens }, (_, context) => ({ context }));
  const before = { END: contextTokens, MIDDLE: Math.ceil(contextTokens / 2), FRONT: 0 }[position];
  return [...start, ...contexts.slice(0, before), ...name, ...contexts.slice(before), ...end];
}

/** Context vectors drawn from N(0, deviation²): [C, M, d], so that no two classes have the same, or [1, M, d] if shared. */
export function initialContexts(layout: PromptLayout, config: CbptConfig): Float32Array {
  const random: Random = randomStream(config.seed, "contexts");
  const { classes, contextTokens, width, shared } = layout;
  return Float32Array.from(
    { length: (shared ? 1 : classes) * contextTokens * width },
    () => config.initialDeviation * random.normal(),
  );
}

/** The context vectors of each class, [C, M, d]; where they are shared, every class has the same. */
export function contextsByClass(layout: PromptLayout, contexts: Float32Array): Float32Array {
  const { classes, contextTokens, width } = layout;
  const size = contextTokens * width;
  const byClass = new Float32Array(classes * size);
  for (let start = 0; start < byClass.length; start += size)
    byClass.set(layout.shared ? contexts : contexts.subarray(start, start + size), start);
  return byClass;
}

/** The prompts' token vectors [C, L, d] with the context vectors in their places. */
export function assembleTokens(layout: PromptLayout, contexts: Float32Array): Float32Array {
  const tokens = layout.base.slice();
  forEachSlot(layout, (context, token) =>
    tokens.set(contexts.subarray(context, context + layout.width), token),
  );
  return tokens;
}

/** What a gradient of the token vectors [C, L, d] is for the context vectors: summed over the classes that share them. */
export function contextGradient(layout: PromptLayout, gradient: Float32Array): Float32Array {
  const { classes, contextTokens, width, shared } = layout;
  const contexts = new Float32Array((shared ? 1 : classes) * contextTokens * width);
  forEachSlot(layout, (context, token) => {
    for (let index = 0; index < width; index++) contexts[context + index] += gradient[token + index];
  });
  return contexts;
}

/** Calls back with the offset of each context vector among the contexts and among the tokens. */
function forEachSlot(layout: PromptLayout, visit: (context: number, token: number) => void): void {
  const { contextTokens, length, width, slots, shared } = layout;
  slots.forEach((position, index) => {
    const label = Math.floor(index / contextTokens);
    const context = shared ? index % contextTokens : index;
    visit(context * width, (label * length + position) * width);
  });
}
