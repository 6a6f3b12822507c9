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
  options: { contextTokens: number; position: Position; contextLength: number },
): PromptLayout {
  const prompts = labels.map((label) => pieces(label, tokenizer, options));
  const length = Math.max(...prompts.map((prompt) => prompt.length));
  const { contextTokens, contextLength } = options;
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
  return { classes: labels.length, contextTokens, length, width, base, endOfText, slots };
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

/** Context vectors [C, M, d] drawn from N(0, deviation²): class-wise, so no two classes share one. */
export function initialContexts(layout: PromptLayout, config: CbptConfig): Float32Array {
  const random: Random = randomStream(config.seed, "contexts");
  const { classes, contextTokens, width } = layout;
  return Float32Array.from(
    { length: classes * contextTokens * width },
    () => config.initialDeviation * random.normal(),
  );
}

/** The prompts' token vectors [C, L, d] with the context vectors [C, M, d] in their places. */
export function assembleTokens(layout: PromptLayout, contexts: Float32Array): Float32Array {
  const tokens = layout.base.slice();
  forEachSlot(layout, (context, token) =>
    tokens.set(contexts.subarray(context, context + layout.width), token),
  );
  return tokens;
}

/** The part [C, M, d] of a gradient of the token vectors [C, L, d] that belongs to the context vectors. */
export function contextGradient(layout: PromptLayout, gradient: Float32Array): Float32Array {
  const contexts = new Float32Array(layout.slots.length * layout.width);
  forEachSlot(layout, (context, token) =>
    contexts.set(gradient.subarray(token, token + layout.width), context),
  );
  return contexts;
}

/** Calls back with the offset of each context vector among the contexts and among the tokens. */
function forEachSlot(layout: PromptLayout, visit: (context: number, token: number) => void): void {
  const { contextTokens, length, width, slots } = layout;
  slots.forEach((position, index) => {
    const label = Math.floor(index / contextTokens);
    visit(index * width, (label * length + position) * width);
  });
}
