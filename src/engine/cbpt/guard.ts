import { type Scores, score } from "../clip/zero-shot.ts";
import { nearestClass, row } from "./features.ts";
import { suspicionOf } from "./tripwire.ts";

/**
 * Prompts that find an image's own class again under a trigger. Its embedding keeps something of what the image shows
 * when a trigger drags it to a class, but prompts that read it there misjudge clean images: one set of text features
 * cannot do both well. So these answer the images that are too suspicious, and no others.
 */
export interface Recovery {
  /** [C, D], normalised. */
  readonly features: Float32Array;
  /** In nats: an image that is more suspicious is answered by them. */
  readonly threshold: number;
}

/** What a purified model answers with. */
export interface GuardedText {
  /** [C, D], normalised: what suspicion is measured by. */
  readonly undefended: Float32Array;
  /** [C, D], normalised. */
  readonly purified: Float32Array;
  readonly recovery?: Recovery;
}

/** Of templates [C, D], which nothing guards. */
export const undefendedText = (matrix: Float32Array): GuardedText => ({
  undefended: matrix,
  purified: matrix,
});

export interface GuardedScores {
  /** The answer: of the purified prompts, or of the recovery ones. */
  readonly scores: Scores;
  readonly undefended: Scores;
  /** In nats. */
  readonly suspicion: number;
  /** Whether the recovery prompts answered. */
  readonly recovered: boolean;
}

/** Scores one normalised embedding [D]. */
export function guardedScores(feature: Float32Array, text: GuardedText, scale: number): GuardedScores {
  const [undefended, purified] = [text.undefended, text.purified].map((one) => score(feature, one, scale));
  const suspicion = suspicionOf(undefended.probabilities, purified.probabilities);
  const { recovery } = text;
  const recovered = recovery !== undefined && suspicion > recovery.threshold;
  const scores = recovered ? score(feature, recovery.features, scale) : purified;
  return { scores, undefended, suspicion, recovered };
}

/** The text features [C, D] that answer one embedding [D]. */
export function answeringText(feature: Float32Array, text: GuardedText, scale: number): Float32Array {
  const { purified, recovery } = text;
  return recovery && guardedScores(feature, text, scale).recovered ? recovery.features : purified;
}

/** The class that each row of `features` [n, D] is given. */
export const guardedPredictions = (
  features: Float32Array,
  text: GuardedText,
  { width, scale }: { readonly width: number; readonly scale: number },
): number[] =>
  Array.from({ length: features.length / width }, (_, index) => {
    const feature = row(features, width, index);
    return nearestClass(feature, answeringText(feature, text, scale));
  });
