import { AppError } from "../../errors.ts";
import { type NamedArray, readFloats, type SafetensorsFile } from "../clip/safetensors.ts";
import type { GuardedText } from "./guard.ts";
import type { LearnedText } from "./purified.ts";

/** What tuning has learned for C classes, as it is kept in files: safetensors, float32. */
export interface LearnedTensors extends LearnedText {
  /** C */
  readonly classes: number;
  /** M */
  readonly contextTokens: number;
  readonly recovery?: LearnedText;
}

/** The tensors by their names in a file: [C, M, d] and [C, D] of each. */
export const TENSORS = {
  contexts: "contexts",
  features: "text_features",
  recoveryContexts: "recovery_contexts",
  recoveryFeatures: "recovery_text_features",
} as const;

/** As they are written to a file, in their order. */
export function arraysOf(learned: LearnedTensors): NamedArray[] {
  const { recovery } = learned;
  const purified = textArrays(learned, learned, TENSORS.contexts, TENSORS.features);
  if (!recovery) return purified;
  return [...purified, ...textArrays(learned, recovery, TENSORS.recoveryContexts, TENSORS.recoveryFeatures)];
}

const textArrays = (
  { classes, contextTokens }: LearnedTensors,
  { contexts, features }: LearnedText,
  contextsName: string,
  featuresName: string,
): NamedArray[] => [
  {
    name: contextsName,
    shape: [classes, contextTokens, contexts.length / classes / contextTokens],
    data: contexts,
  },
  { name: featuresName, shape: [classes, features.length / classes], data: features },
];

/** Reads what a file of `arraysOf` has. Fails with INVALID_CHECKPOINT where a tensor is missing. */
export async function readLearned(
  file: SafetensorsFile,
  { classes, contextTokens }: Pick<LearnedTensors, "classes" | "contextTokens">,
): Promise<LearnedTensors> {
  const text = await readText(file);
  const contexts = await readFloats(file, TENSORS.contexts);
  const learned = { classes, contextTokens, contexts, features: text.purified };
  if (!text.recovery) return learned;
  const recoveryContexts = await readFloats(file, TENSORS.recoveryContexts);
  return { ...learned, recovery: { contexts: recoveryContexts, features: text.recovery } };
}

/** The part of it that images are answered with. */
export async function readText(file: SafetensorsFile): Promise<Omit<GuardedText, "undefended">> {
  const purified = await readFloats(file, TENSORS.features);
  if (!file.tensors.has(TENSORS.recoveryFeatures)) return { purified };
  return { purified, recovery: await readFloats(file, TENSORS.recoveryFeatures) };
}

/** Fails with INCOMPATIBLE_MODEL unless a tensor has the shape that a model and labels need. */
export function requireShape({ tensors }: SafetensorsFile, name: string, expected: readonly number[]): void {
  const found = tensors.get(name)?.shape ?? [];
  if (found.join() === expected.join()) return;
  throw new AppError(
    "INCOMPATIBLE_MODEL",
    `The prompts have ${name} [${found}], but this model and these labels need [${expected}].`,
    { found, expected },
  );
}
