import { AppError } from "../../errors.ts";
import { randomStream } from "../random.ts";
import type { CbptConfig } from "./config.ts";
import { LOSSES } from "./objective.ts";
import type { Problem } from "./problem.ts";
import { contextGradient, initialContexts } from "./prompts.ts";
import type { TuningBatch, Workbench } from "./workbench.ts";

/** Where prompt tuning stands: before batch `batch` of epoch `epoch`, both from 0. */
export interface Tuning {
  readonly epoch: number;
  readonly batch: number;
  /** [C, M, d] */
  readonly contexts: Float32Array;
  /** [C, M, d]: running mean of the gradients; with SGD their decayed sum. */
  readonly velocity: Float32Array;
  /** [C, M, d]: running mean of their squares, for Adam. */
  readonly power: Float32Array;
  /** The losses of the last step, as in `LOSSES`. */
  readonly losses: readonly number[];
}

export function startTuning({ layout, config }: Problem): Tuning {
  const contexts = initialContexts(layout, config);
  return {
    epoch: 0,
    batch: 0,
    contexts,
    velocity: new Float32Array(contexts.length),
    power: new Float32Array(contexts.length),
    losses: LOSSES.map(() => 0),
  };
}

/** How many shots are shown, and how. */
type Shown = Pick<Problem, "config"> & { readonly shots: { readonly length: number } };

/** Steps in an epoch, which passes over every view of every shot: whole batches only. */
export const stepsPerEpoch = (problem: Shown): number =>
  Math.floor((problem.shots.length * problem.config.views) / rowsPerBatch(problem));

/** Without the rows that are added of suspects' own images. */
export const rowsPerBatch = ({ shots, config }: Shown): number =>
  Math.min(config.batchSize, shots.length * config.views);

/** The rows of one batch: every epoch has its own order, and what is left over waits for the next. */
export function batchRows(problem: Problem, { epoch, batch }: Tuning): { shot: number; view: number }[] {
  const { shots, config } = problem;
  const size = rowsPerBatch(problem);
  const order = randomStream(config.seed, "order", epoch).permutation(shots.length * config.views);
  return order
    .slice(batch * size, (batch + 1) * size)
    .map((place) => ({ shot: place % shots.length, view: Math.floor(place / shots.length) }));
}

/** During warm-up only the cross-entropy on clean shots counts. */
export const isWarmingUp = ({ config }: Problem, { epoch }: Tuning): boolean => epoch < config.warmupEpochs;

/** The weights of the losses, in the order of `LOSSES`; those of means over rows times `scale`. */
export const lossWeights = (config: CbptConfig, scale = 1): number[] => [
  ...[config.alpha, config.beta, config.gamma, config.gammaDummy].map((weight) => weight * scale),
  1,
];

/**
 * One outer step of the optimiser, whose rate η falls from the learning rate to 0 along a cosine over all steps.
 * Fails with DIVERGED when a loss is not finite.
 */
export async function stepTuning(bench: Workbench, tuning: Tuning, batch: TuningBatch): Promise<Tuning> {
  const { problem } = bench;
  const { config, layout } = problem;
  const { losses, gradient } = await bench.tune(tuning.contexts, batch);
  requireFinite(losses, tuning);
  const perEpoch = stepsPerEpoch(problem);
  const step = tuning.epoch * perEpoch + tuning.batch;
  const rate = 0.5 * config.learningRate * (1 + Math.cos((Math.PI * step) / (config.epochs * perEpoch)));
  const slope = contextGradient(layout, gradient).map(
    (value, index) => value + config.weightDecay * tuning.contexts[index],
  );
  const moved =
    config.optimiser === "ADAM"
      ? adam(tuning, slope, rate, step, config)
      : descend(tuning, slope, rate, config);
  const endsEpoch = tuning.batch + 1 === perEpoch;
  return {
    ...tuning,
    ...moved,
    epoch: endsEpoch ? tuning.epoch + 1 : tuning.epoch,
    batch: endsEpoch ? 0 : tuning.batch + 1,
    losses,
  };
}

/** SGD with momentum: v ← μv + g, w ← w − ηv. */
function descend(
  { contexts, velocity }: Tuning,
  slope: Float32Array,
  rate: number,
  { momentum }: CbptConfig,
) {
  const next = velocity.map((old, index) => momentum * old + slope[index]);
  return { velocity: next, contexts: contexts.map((old, index) => old - rate * next[index]) };
}

/** How slowly Adam forgets the squares of the gradients. */
const POWER_DECAY = 0.999;

/** Adam (Kingma and Ba 2015): m ← μm + (1−μ)g, p ← νp + (1−ν)g², w ← w − η·m̂ / (√p̂ + 10⁻⁸). */
function adam(
  { contexts, velocity, power }: Tuning,
  slope: Float32Array,
  rate: number,
  step: number,
  { momentum }: CbptConfig,
) {
  const mean = velocity.map((old, index) => momentum * old + (1 - momentum) * slope[index]);
  const square = power.map((old, index) => POWER_DECAY * old + (1 - POWER_DECAY) * slope[index] ** 2);
  const [meanScale, squareScale] = [1 - momentum ** (step + 1), 1 - POWER_DECAY ** (step + 1)];
  const moved = contexts.map(
    (old, index) =>
      old - (rate * (mean[index] / meanScale)) / (Math.sqrt(square[index] / squareScale) + 1e-8),
  );
  return { velocity: mean, power: square, contexts: moved };
}

export function requireFinite(losses: readonly number[], place: { epoch: number; batch: number }): void {
  const index = losses.findIndex((loss) => !Number.isFinite(loss));
  if (index < 0) return;
  throw new AppError(
    "DIVERGED",
    `The loss "${LOSSES[index]}" is no longer a number in step ${place.batch + 1} of epoch ${place.epoch + 1}. Lower the learning rate.`,
    { loss: LOSSES[index], epoch: place.epoch, batch: place.batch },
  );
}
