import { AppError } from "../../errors.ts";
import { choice, completeParameters, defaultsOf, real, type ValuesOf, whole } from "../parameters.ts";

/** As in the paper, with one trigger per image; or with one universal trigger per class, inverted before tuning. */
export const MODES = ["UNIVERSAL", "PUBLISHED"] as const;
export type Mode = (typeof MODES)[number];

export const POSITIONS = ["FRONT", "MIDDLE", "END"] as const;
/** Where the context vectors stand: after the name, around it, or before it (the paper's default). */
export type Position = (typeof POSITIONS)[number];

export const STEP_RULES = ["RAW", "SIGN", "NORMALISED"] as const;
export type StepRule = (typeof STEP_RULES)[number];

export const NORMS = ["L2", "LINF"] as const;
export type Norm = (typeof NORMS)[number];

export const OPTIMISERS = ["SGD", "ADAM"] as const;
export type Optimiser = (typeof OPTIMISERS)[number];

/**
 * Every hyper-parameter of class-wise backdoor prompt tuning (Kong et al. 2025, arXiv:2502.19269), with its range and
 * its default in the universal mode; `PUBLISHED_DEFAULTS` tells where the published mode differs.
 */
export const CBPT_PARAMETERS = {
  seed: whole(1, [0, 2 ** 31 - 1], "Seed of everything random; the same seed gives the same prompts"),

  contextTokens: whole(4, [1, 16], "Context vectors of each class"),
  position: choice("END", POSITIONS, "Where the context vectors stand, as seen from the class name"),
  initialDeviation: real(0.02, [0, 1], "Standard deviation of the initial context vectors"),

  epochs: whole(300, [1, 2000], "Passes over all views of the shots"),
  warmupEpochs: whole(0, [0, 2000], "Epochs at the beginning that use the cross-entropy on clean shots only"),
  batchSize: whole(512, [1, 4096], "Rows in a tuning step"),
  learningRate: real(2e-2, [1e-7, 1], "Learning rate of the context vectors; falls along a cosine to 0"),
  optimiser: choice("ADAM", OPTIMISERS, "How the context vectors follow the gradient"),
  momentum: real(0.9, [0, 0.999], "Momentum of the tuning steps"),
  weightDecay: real(0, [0, 1], "Weight decay of the context vectors"),

  alpha: real(0.8, [0, 100], "Weight of unlearning: pushes a dummy away from the suspected class"),
  margin: real(
    4,
    [0, 100],
    "By how many logits a dummy is to be further from the suspected class than it has to, where that class has 16 shots or more: attackers' triggers are not quite like it",
  ),
  beta: real(0, [0, 100], "Weight of alignment: a dummy is to be predicted like its clean image"),
  gamma: real(1, [0, 100], "Weight of the cross-entropy on clean shots"),
  gammaDummy: real(0.02, [0, 100], "Weight of the cross-entropy on dummies"),
  recovery: real(
    2,
    [0, 100],
    "The same weight for the recovery prompts, which answer images that the purified and the undefended prompts disagree on; 0 learns none",
  ),
  anchor: real(
    6,
    [0, 10_000],
    "Weight of staying near the undefended text features, for classes that are not suspected",
  ),
  suspectAnchor: real(
    0.3,
    [0, 10_000],
    "Weight of staying near the undefended text features, for suspected classes of 16 shots or more, which have to move",
  ),
  distillation: real(
    1,
    [0, 1],
    "Share of the undefended prediction in what a clean shot of an unsuspected class is to be predicted as",
  ),
  suspectEmphasis: real(64, [0, 100], "Weight of a suspected class's own clean shots in the cross-entropy"),
  views: whole(
    1,
    [1, 256],
    "Views of each shot to tune on: itself, and others mirrored, shifted, in another light",
  ),
  exchange: real(
    0.5,
    [0, 1],
    "Share of a suspected class's own rows whose deviation from the class mean is another shot's",
  ),

  innerSteps: whole(100, [1, 2000], "Steps of a trigger inversion"),
  innerBatch: whole(8, [1, 256], "Shots of other classes that each step of a universal inversion looks at"),
  innerMomentum: real(0.8, [0, 0.999], "Momentum of the steps of a universal inversion"),
  stepRule: choice("NORMALISED", STEP_RULES, "What becomes of a gradient before it is a step"),
  stepSize: real(
    0.1,
    [1e-6, 1000],
    "Length of a step: in radii when normalised, else times the gradient (or its sign)",
  ),
  norm: choice("L2", NORMS, "Norm that bounds a trigger"),
  radius: real(
    0,
    [0, 1000],
    "Largest norm of a trigger on [0, 1] pixels; 0 finds it: grows until a class stands out",
  ),
  gratingCycles: whole(12, [0, 64], "Most cycles per side of the gratings that an audit tries; 0 tries none"),
  temperature: real(
    0.1,
    [1e-3, 10],
    "τ of the contrast between the positive and the negative (published mode)",
  ),
  positive: choice(
    "FARTHEST",
    ["RANDOM", "NEAREST", "FARTHEST"],
    "Which shot of the simulated backdoor class attracts",
  ),

  dummyLevels: whole(2, [1, 16], "Strengths at which each recovered trigger is stamped for tuning"),
  dummyWeakest: real(
    1,
    [0, 10],
    "The weakest strength at which a dummy is stamped, in multiples of the trigger",
  ),
  dummyStrongest: real(
    1.3,
    [0, 10],
    "The strongest strength at which a dummy is stamped, in multiples of the trigger",
  ),
} as const;

/** Complete and valid. The mode comes with it because the defaults depend on it. */
export type CbptConfig = ValuesOf<typeof CBPT_PARAMETERS> & { readonly mode: Mode };

/** Where the published mode's defaults differ. The paper leaves norm, radius and τ open; 0 means 3 · side / 32. */
export const PUBLISHED_DEFAULTS = {
  epochs: 20,
  warmupEpochs: 5,
  batchSize: 32,
  optimiser: "SGD",
  learningRate: 2e-3,
  weightDecay: 5e-4,
  alpha: 1,
  beta: 0.4,
  gamma: 0.4,
  gammaDummy: 0.4,
  anchor: 0,
  suspectAnchor: 0,
  distillation: 0,
  suspectEmphasis: 1,
  margin: 0,
  recovery: 0,
  views: 1,
  exchange: 0,
  innerSteps: 10,
  stepRule: "RAW",
} as const satisfies Partial<ValuesOf<typeof CBPT_PARAMETERS>>;

export function defaultConfig(mode: Mode): CbptConfig {
  const defaults = defaultsOf(CBPT_PARAMETERS);
  return mode === "PUBLISHED" ? { ...defaults, ...PUBLISHED_DEFAULTS, mode } : { ...defaults, mode };
}

/** The given values over the mode's defaults. Fails with VALIDATION_FAILED that lists every problem at once. */
export function completeConfig(mode: Mode, given: unknown): CbptConfig {
  if (!MODES.includes(mode)) throw invalid(`the mode must be one of ${MODES.join(", ")}`, { mode });
  const { mode: _, ...rest } = (given ?? {}) as { mode?: unknown };
  const config = { ...completeParameters("CBPT", CBPT_PARAMETERS, rest, defaultConfig(mode)), mode };
  if (config.warmupEpochs > config.epochs)
    throw invalid(`warmupEpochs must not be above epochs (${config.epochs})`, {
      warmupEpochs: config.warmupEpochs,
    });
  if (config.dummyWeakest > config.dummyStrongest)
    throw invalid(`dummyWeakest must not be above dummyStrongest (${config.dummyStrongest})`, {
      dummyWeakest: config.dummyWeakest,
    });
  return config;
}

/** What parameters did that a configuration of an earlier version does not have yet. */
const BEFORE: Partial<ValuesOf<typeof CBPT_PARAMETERS>> = { margin: 0, recovery: 0 };

/** A configuration as it was recorded; one that an earlier version completed says what it was without knowing it. */
export function recordedConfig<Given extends object>(given: Given): Given {
  const wasComplete = Object.keys(CBPT_PARAMETERS).every((name) => name in given || name in BEFORE);
  return wasComplete ? { ...BEFORE, ...given } : given;
}

const invalid = (problem: string, details: Record<string, unknown>): AppError =>
  new AppError("VALIDATION_FAILED", `The parameters of CBPT are not valid: ${problem}.`, details);
