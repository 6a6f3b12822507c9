import { score } from "../clip/zero-shot.ts";
import { listOf } from "../evaluation/encode.ts";
import { randomStream } from "../random.ts";
import { row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { drawView } from "./views.ts";
import type { Workbench } from "./workbench.ts";

/**
 * How suspicious clean images are: the suspicion that 0 %, 1 %, … 100 % of them do not pass, in nats and in order. What
 * a model's clean images reach depends on the model and on how far its prompts had to move, so every version has its own.
 */
export interface Tripwire {
  readonly quantiles: readonly number[];
}

/** An image that is more suspicious than this share of clean ones raises the alarm: one false alarm in a hundred. */
export const ALARM_SHARE = 0.99;

const QUANTILES = 101;

/**
 * KL(p ‖ q) in nats, from 0, of what the undefended prompts predict for an image, p, to what the purified ones do, q:
 * large where only the tuning took a class away, which is where a trigger had put it. No second image pass is needed.
 */
export function suspicionOf(undefended: ArrayLike<number>, purified: ArrayLike<number>): number {
  let sum = 0;
  for (let label = 0; label < undefended.length; label++) {
    const p = undefended[label];
    if (p > 0) sum += p * (Math.log(p) - Math.log(Math.max(purified[label], SMALLEST)));
  }
  return Math.max(0, sum);
}

/** Probabilities are float32: below it they are as good as 0, and a logarithm must stay finite. */
const SMALLEST = 1e-38;

/** The share of clean images that are less suspicious, 0 to 1: in between the quantiles by proportion. */
export function rankOf({ quantiles }: Tripwire, suspicion: number): number {
  const last = quantiles.length - 1;
  const above = quantiles.findIndex((quantile) => quantile >= suspicion);
  if (above === 0) return 0;
  if (above < 0) return 1;
  const [low, high] = [quantiles[above - 1], quantiles[above]];
  return (above - 1 + (suspicion - low) / (high - low)) / last;
}

/** Views of each shot to calibrate on. The prompts were tuned on the shots themselves, which look too harmless. */
const CALIBRATION_VIEWS = 4;
/**
 * In half of the light that prompts are tuned in: on 1,500 other scenes 0.86 % of clean images then raise an alarm, the
 * mean of 14 models. In all of that light it is 0.30 %, and every seventh triggered image is missed; without other light
 * it is 1.27 %, and by the shots as they are 2.11 %. Measured once, on 2026-11-28; what is served is measured again by
 * `npm run reproduce -- --only tripwires`.
 */
const CALIBRATION_LIGHT = 0.5;

/** Measures how suspicious clean images are through purified text features [C, D]: on views of the shots, not on them. */
export async function calibrateTripwire(bench: Workbench, purified: Float32Array): Promise<Tripwire> {
  const { problem } = bench;
  const suspicions: number[] = [];
  for (const views of calibrationViews(problem)) {
    const features = await bench.encode(listOf(views.length, (index) => views[index]));
    suspicions.push(...suspicionsOf(problem, features, purified));
  }
  return tripwireOf(suspicions);
}

/** The images [3, H, W] that a tripwire is calibrated on: each shot once, again and again. */
export function* calibrationViews({ shots, imageSize, config }: Calibration): Generator<Float32Array[]> {
  for (let view = 0; view < CALIBRATION_VIEWS; view++) {
    const random = randomStream(config.seed, "tripwire", view);
    yield shots.map(({ pixels }) => drawView(pixels, imageSize, random, CALIBRATION_LIGHT));
  }
}

type Calibration = Pick<Problem, "shots" | "imageSize"> & {
  readonly config: Pick<Problem["config"], "seed">;
};

/** The quantiles of suspicions, of which there is at least one. */
export function tripwireOf(suspicions: readonly number[]): Tripwire {
  const sorted = [...suspicions].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
  return { quantiles: Array.from({ length: QUANTILES }, (_, index) => at(index / (QUANTILES - 1))) };
}

/** The suspicion of each of the features [n, D], by both prompts' text features [C, D]. */
export function suspicionsOf(
  { matrix, width, checkpoint }: Pick<Problem, "matrix" | "width"> & { readonly checkpoint: Scaling },
  features: Float32Array,
  purified: Float32Array,
): number[] {
  return Array.from({ length: features.length / width }, (_, index) => {
    const feature = row(features, width, index);
    const [before, after] = [matrix, purified].map((text) => score(feature, text, checkpoint.logitScale));
    return suspicionOf(before.probabilities, after.probabilities);
  });
}

interface Scaling {
  readonly logitScale: number;
}
