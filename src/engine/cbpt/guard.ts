import { type Scores, score } from "../clip/zero-shot.ts";
import { nearestClass, row } from "./features.ts";

/**
 * What a purified model answers with: text features [C, D] each, normalised.
 *
 * The recovery prompts find an image's own class again under a trigger. Its embedding keeps something of what the image
 * shows when a trigger drags it to a class, but prompts that read it there misjudge clean images: one set of text
 * features cannot do both well. So they answer the images that the purified prompts put into another class than the
 * undefended ones do, which is what a trigger brings about and nearly no clean image does, and no others.
 */
export interface GuardedText {
  readonly undefended: Float32Array;
  readonly purified: Float32Array;
  readonly recovery?: Float32Array;
  /** [C]: 1 for the classes that the audit suspected, 0 for others. Absent where it suspected none. */
  readonly suspected?: Float32Array;
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
  readonly purified: Scores;
  /** Whether the recovery prompts answered. */
  readonly recovered: boolean;
  /** Whether the answer is one that a trigger may have brought about, so that a second look is due. */
  readonly doubted: boolean;
}

/** Scores one normalised embedding [D]. */
export function guardedScores(feature: Float32Array, text: GuardedText, scale: number): GuardedScores {
  const [undefended, purified] = [text.undefended, text.purified].map((one) => score(feature, one, scale));
  const { recovery } = text;
  const [before, after] = [bestOf(undefended), bestOf(purified)];
  const recovered = recovery !== undefined && before !== after;
  const scores = recovered ? score(feature, recovery, scale) : purified;
  return { scores, undefended, purified, recovered, doubted: isDoubted(text, before, after) };
}

/**
 * Whether the classes that the undefended and the purified prompts give an image leave room for doubt: the recovery
 * prompts answer, or the class is one that the audit suspected. That an image is given such a class is what an attacker
 * wants, and what little of his trigger's work the purified prompts have not undone is among these images.
 */
export const isDoubted = (
  { recovery, suspected }: GuardedText,
  undefended: number,
  purified: number,
): boolean =>
  (recovery !== undefined && undefended !== purified) || (suspected !== undefined && suspected[purified] > 0);

/** The place of the highest logit. */
export const bestOf = ({ logits }: Scores): number =>
  logits.reduce((best, logit, label) => (logit > logits[best] ? label : best), 0);

/** The text features [C, D] that answer one embedding [D]. */
export const answeringText = (
  feature: Float32Array,
  { undefended, purified, recovery }: GuardedText,
): Float32Array =>
  recovery && nearestClass(feature, undefended) !== nearestClass(feature, purified) ? recovery : purified;

/** The class that each row of `features` [n, D] is given. */
export const guardedPredictions = (features: Float32Array, text: GuardedText, width: number): number[] =>
  Array.from({ length: features.length / width }, (_, index) => {
    const feature = row(features, width, index);
    return nearestClass(feature, answeringText(feature, text));
  });
