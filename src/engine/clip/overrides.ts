import { AppError } from "../../errors.ts";
import { builtArchitecture, type ClipArchitecture } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type ConfigSection, configSection } from "./config-section.ts";
import type { Preprocessing, ResizeMode } from "./preprocessing.ts";
import type { Filter } from "./resampling/taps.ts";

/** The file in a checkpoint's folder that says what its own configuration has wrong. */
export const OVERRIDES_FILE = "antidote.json";

/** How a model was really trained, where its configuration does not say so or is mistaken. */
export interface CheckpointOverrides {
  readonly preprocessing?: PreprocessingOverrides;
  /** x · σ(1.702 x) in place of the exact GELU, or the other way around, in both towers. */
  readonly quickGelu?: boolean;
}

export interface PreprocessingOverrides {
  /** "none" leaves pixels in [0, 1], as public backdoored checkpoints were trained. */
  readonly normalisation?: "none" | { readonly mean: readonly number[]; readonly std: readonly number[] };
  readonly interpolation?: Filter;
  readonly resizeMode?: ResizeMode;
}

const FILTERS: readonly Filter[] = ["bicubic", "bilinear"];
const RESIZE_MODES: readonly ResizeMode[] = ["shortest", "longest", "squash"];

/** Checks parsed JSON, as in `antidote.json`. Throws INVALID_CHECKPOINT naming the file and the key. */
export function parseOverrides(json: unknown, file = OVERRIDES_FILE): CheckpointOverrides {
  const root = configSection(json, file);
  const overrides = {
    ...(root.has("preprocessing") && { preprocessing: parsePreprocessing(root.section("preprocessing")) }),
    ...(root.has("quickGelu") && { quickGelu: root.flag("quickGelu", false) }),
  };
  root.forbidRest();
  return overrides;
}

function parsePreprocessing(config: ConfigSection): PreprocessingOverrides {
  const parsed = {
    ...(config.has("normalisation") && { normalisation: parseNormalisation(config) }),
    ...(config.has("interpolation") && { interpolation: config.choice("interpolation", FILTERS) }),
    ...(config.has("resizeMode") && { resizeMode: config.choice("resizeMode", RESIZE_MODES) }),
  };
  config.forbidRest();
  return parsed;
}

function parseNormalisation(config: ConfigSection): PreprocessingOverrides["normalisation"] {
  if (config.isText("normalisation")) return config.choice("normalisation", ["none"]);
  const values = config.section("normalisation");
  const mean = values.numbers("mean", [0, 0, 0]);
  const std = values.numbers("std", [1, 1, 1], (value) => value > 0);
  values.forbidRest();
  return { mean, std };
}

type Overridable = Pick<Checkpoint, "architecture" | "preprocessing" | "exported">;

/**
 * The same checkpoint with the overrides in place of what its configuration says. Throws INVALID_CHECKPOINT where
 * they ask exported graphs for another activation.
 */
export function withOverrides<Content extends Overridable>(
  content: Content,
  { preprocessing, quickGelu }: CheckpointOverrides,
): Content {
  if (quickGelu !== undefined && content.exported) {
    const message = `The activation of exported graphs cannot be changed: take "quickGelu" out of the overrides.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file: OVERRIDES_FILE, key: "quickGelu" });
  }
  return {
    ...content,
    preprocessing: overridePreprocessing(content.preprocessing, preprocessing ?? {}),
    architecture:
      quickGelu === undefined ? content.architecture : withActivation(content.architecture, quickGelu),
  };
}

function overridePreprocessing(
  preprocessing: Preprocessing,
  { normalisation, interpolation, resizeMode }: PreprocessingOverrides,
): Preprocessing {
  const values = normalisation === "none" ? { mean: [0, 0, 0], std: [1, 1, 1] } : normalisation;
  return {
    ...preprocessing,
    ...values,
    ...(interpolation && { interpolation }),
    ...(resizeMode && { resizeMode }),
  };
}

function withActivation(architecture: ClipArchitecture, quick: boolean): ClipArchitecture {
  const activation = quick ? "quick-gelu" : "gelu";
  const { image, text } = builtArchitecture(architecture);
  return {
    ...architecture,
    image: image.kind === "resnet" ? image : { ...image, activation },
    text: { ...text, activation },
  };
}
