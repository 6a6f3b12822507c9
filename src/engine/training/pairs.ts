import type { ClipTokenizer } from "../clip/tokenizer.ts";
import { type Random, randomStream } from "../random.ts";
import type { PairBatch } from "./trainer.ts";

/** Images with captions to train on. */
export interface PairSource {
  readonly count: number;
  /** uint8 [3, H, W] at the model's own resolution. */
  pixels(index: number): Uint8Array;
  /** True sentences about it, at least one. */
  captions(index: number): readonly string[];
}

/** An image and the one caption that it is shown with. */
export interface Pair {
  readonly pixels: Uint8Array;
  readonly caption: string;
}

/** Chosen images, each with one of its captions at random. */
export function pairsOf(source: PairSource, indices: readonly number[], random: Random): Pair[] {
  return indices.map((index) => ({
    pixels: source.pixels(index),
    caption: pick(source.captions(index), random),
  }));
}

/** One of them, each as likely as the others. */
export const pick = <Item>(items: readonly Item[], random: Random): Item =>
  items[random.below(items.length)]!;

/**
 * The images of a step, counted from 0, when every epoch goes once through all in a new order; what does not fill a
 * batch is left out.
 */
export function epochBatch(count: number, batch: number, seed: number, step: number): number[] {
  const perEpoch = Math.max(1, Math.floor(count / batch));
  const [epoch, place] = [Math.floor(step / perEpoch), step % perEpoch];
  return randomStream(seed, "epoch", epoch)
    .permutation(count)
    .slice(place * batch, (place + 1) * batch);
}

/** Joins pairs to a batch; remembers how captions are tokenized, which is slow. */
export class Collator {
  private readonly known = new Map<string, readonly number[]>();

  constructor(private readonly tokenizer: Pick<ClipTokenizer, "encode">) {}

  tokens(caption: string): readonly number[] {
    const ids = this.known.get(caption) ?? this.tokenizer.encode(caption);
    this.known.set(caption, ids);
    return ids;
  }

  batch(pairs: readonly Pair[]): PairBatch {
    const pixels = new Uint8Array(pairs.length * pairs[0]!.pixels.length);
    pairs.forEach((pair, row) => void pixels.set(pair.pixels, row * pair.pixels.length));
    return { pixels, captions: pairs.map(({ caption }) => this.tokens(caption)) };
  }

  /** Tokens of the longest caption of a source and of other sentences. */
  longest(source: PairSource, others: readonly string[] = []): number {
    let longest = 0;
    const look = (captions: readonly string[]) => {
      for (const caption of captions) longest = Math.max(longest, this.tokens(caption).length);
    };
    look(others);
    for (let index = 0; index < source.count; index++) look(source.captions(index));
    return longest;
  }
}
