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
  /** As in `GuardedText`. */
  readonly suspected?: Float32Array;
}

/** The tensors by their names in a file: [C, M, d] and [C, D] of each set of prompts, and [C]. */
export const TENSORS = {
  contexts: "contexts",
  features: "text_features",
  recoveryContexts: "recovery_contexts",
  recoveryFeatures: "recovery_text_features",
  suspected: "suspected",
} as const;

/** As they are written to a file, in their order. */
export function arraysOf(learned: LearnedTensors): NamedArray[] {
  const { recovery, suspected } = learned;
  return [
    ...textArrays(learned, learned, TENSORS.contexts, TENSORS.features),
    ...(recovery ? textArrays(learned, recovery, TENSORS.recoveryContexts, TENSORS.recoveryFeatures) : []),
    ...(suspected ? [{ name: TENSORS.suspected, shape: [learned.classes], data: suspected }] : []),
  ];
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
  const { purified: features, recovery, suspected } = await readText(file);
  const contexts = await readFloats(file, TENSORS.contexts);
  const learned = { classes, contextTokens, contexts, features, ...(suspected ? { suspected } : {}) };
  if (!recovery) return learned;
  const recoveryContexts = await readFloats(file, TENSORS.recoveryContexts);
  return { ...learned, recovery: { contexts: recoveryContexts, features: recovery } };
}

/** The part of it that images are answered with. */
export async function readText(file: SafetensorsFile): Promise<Omit<GuardedText, "undefended">> {
  const purified = await readFloats(file, TENSORS.features);
  const [recovery, suspected] = await Promise.all(
    [TENSORS.recoveryFeatures, TENSORS.suspected].map(async (name) =>
      file.tensors.has(name) ? readFloats(file, name) : undefined,
    ),
  );
  return { purified, ...(recovery ? { recovery } : {}), ...(suspected ? { suspected } : {}) };
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
