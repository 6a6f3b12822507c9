import type { CheckpointOverrides, PreprocessingOverrides } from "../engine/clip/overrides.ts";
import { OPENAI_MEAN, OPENAI_STD } from "../engine/clip/preprocessing.ts";
import { AppError } from "../errors.ts";

type Values = Exclude<NonNullable<PreprocessingOverrides["normalisation"]>, "none">;

/** The normalisations that models are usually trained with. */
export const NORMALISATIONS = {
  none: "none",
  clip: { mean: OPENAI_MEAN, std: OPENAI_STD },
  imagenet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  half: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
} as const satisfies Record<string, "none" | Values>;

export type NormalisationName = keyof typeof NORMALISATIONS;

/** How an operator says that images are normalised; "configuration" takes an earlier word back. */
export type NormalisationChoice = NormalisationName | "configuration" | Values;

export const NORMALISATION_NAMES = [...Object.keys(NORMALISATIONS), "configuration"];

/**
 * The overrides with another normalisation; as they are without a choice. Fails with VALIDATION_FAILED for
 * values that are not three numbers each, or deviations that are not positive.
 */
export function withNormalisation(
  overrides: CheckpointOverrides,
  choice: NormalisationChoice | undefined,
): CheckpointOverrides {
  if (choice === undefined) return overrides;
  const { normalisation: _, ...others } = overrides.preprocessing ?? {};
  const normalisation = typeof choice === "object" ? checked(choice) : valuesOf(choice);
  return { ...overrides, preprocessing: normalisation ? { ...others, normalisation } : others };
}

function checked({ mean, std }: Values): Values {
  const valid = (values: readonly number[]) => values.length === 3 && values.every(Number.isFinite);
  if (valid(mean) && valid(std) && std.every((value) => value > 0)) return { mean, std };
  const message = "A normalisation has three means and three positive deviations: red, green, blue.";
  throw new AppError("VALIDATION_FAILED", message, { mean, std, path: ["input", "normalisation", "values"] });
}

const valuesOf = (name: NormalisationName | "configuration") =>
  name === "configuration" ? undefined : NORMALISATIONS[name];

/** Whether overrides say anything. */
export const isEmpty = ({ preprocessing = {}, ...others }: CheckpointOverrides): boolean =>
  [...Object.values(preprocessing), ...Object.values(others)].every((value) => value === undefined);
