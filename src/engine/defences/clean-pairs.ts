import type { Shot } from "../cbpt/problem.ts";
import { fillTemplate } from "../clip/zero-shot.ts";
import { type Random, randomStream } from "../random.ts";
import type { Tensors } from "../runtime/session.ts";
import { Collator, epochBatch, type Pair } from "../training/pairs.ts";
import type { PairBatch } from "../training/trainer.ts";
import type { DefenceSize, DefenceTask } from "./defence.ts";

/** A clean pair by its indices: of the shot, and of the caption among those of all labels. */
export interface PairIndex {
  readonly shot: number;
  readonly caption: number;
}

/** An altered copy of a pair. */
export type Alter = (pair: Pair, random: Random) => Pair;

/** What a loss reads beside the pairs of a step. */
export type Others = (pairs: readonly PairIndex[]) => Tensors;

/** Room in the trained text length for words that an altered caption has more. */
const SPARE_TOKENS = 4;

/** The captions that the templates make of the labels: those of the first label, then those of the next. */
export const captionsOf = ({ labels, templates }: Pick<DefenceSize, "labels" | "templates">): string[] =>
  labels.flatMap((label) => templates.map((template) => fillTemplate(template, label)));

/** Tokens of the longest caption that is trained on; altered captions may have some words more. */
export function captionLength(size: Omit<DefenceSize, "shots">, altered: boolean): number {
  const { tokenizer, architecture } = size.checkpoint;
  const longest = Math.max(...captionsOf(size).map((caption) => tokenizer.encode(caption).length));
  return altered ? Math.min(architecture.text.contextLength, longest + SPARE_TOKENS) : longest;
}

interface BatchOptions {
  /** Pairs in a batch, without altered ones. */
  readonly size: number;
  /** Tokens of the longest caption that is trained on. */
  readonly length: number;
  readonly alter?: Alter;
  readonly others?: Others;
}

/** The batches of a run; each depends on the seed and the number of its step only. */
export class Batches {
  private readonly collator: Collator;
  private readonly captions: readonly string[];

  constructor(
    private readonly task: DefenceTask,
    private readonly options: BatchOptions,
  ) {
    this.collator = new Collator(task.checkpoint.tokenizer);
    this.captions = captionsOf(task);
  }

  /** The batch of a step, counted from 0. */
  of(step: number): PairBatch {
    const { seed, shots, templates } = this.task;
    const { size, alter, others } = this.options;
    const random = randomStream(seed, "fine-tuning", step);
    const places = epochBatch(shots.length, size, seed, step).map((shot) => ({
      shot,
      caption: shots[shot].label * templates.length + random.below(templates.length),
    }));
    const pairs = places.map(
      ({ shot, caption }): Pair => ({ pixels: bytesOf(shots[shot]), caption: this.captions[caption] }),
    );
    const altered = alter ? pairs.map((pair) => this.fitting(alter(pair, random), pair)) : [];
    return { ...this.collator.batch([...pairs, ...altered]), others: others?.(places) };
  }

  /** A caption that has become too long stays as it was. */
  private fitting({ pixels, caption }: Pair, original: Pair): Pair {
    const fits = this.collator.tokens(caption).length <= this.options.length;
    return { pixels, caption: fits ? caption : original.caption };
  }
}

const bytesOf = ({ pixels }: Shot): Uint8Array => Uint8Array.from(pixels, (value) => Math.round(value * 255));
