import { randomStream } from "../random.ts";
import { dot, gatherRows, joined, nearestClass, row } from "./features.ts";
import { imageValues, type Problem, shortSide } from "./problem.ts";
import { descend, keepInRange } from "./trigger.ts";
import type { Workbench } from "./workbench.ts";

/** Dummies of a batch of shots, made against the present prompts. */
export interface Dummies {
  /** [B]: the simulated backdoor class y′ of each shot. */
  readonly simulated: readonly number[];
  /** [B, D]: features of x + δ. */
  readonly features: Float32Array;
}

/**
 * The inner step as published (Kong et al. 2025): for each shot x of class y, the simulated backdoor class is
 * y′ = argmax_{c≠y} sim(f(x), T_c); δ starts at zero and takes `innerSteps` steps that pull f(x+δ) toward a clean shot
 * of y′ and away from f(x), within the ball and with x + δ in [0, 1].
 */
export async function invertPerImage(
  bench: Workbench,
  batch: readonly number[],
  text: Float32Array,
  place: { epoch: number; batch: number },
): Promise<Dummies> {
  const { problem } = bench;
  const { config, shots, features, width } = problem;
  const random = randomStream(config.seed, "positives", place.epoch, place.batch);
  const simulated = batch.map((index) =>
    nearestClass(row(features, width, index), text, shots[index]!.label),
  );
  const positives = batch.map((index, position) =>
    choosePositive(problem, index, simulated[position]!, random.uniform()),
  );
  const pixels = joined(batch.map((index) => shots[index]!.pixels));
  const positive = gatherRows(features, width, positives);
  const negative = gatherRows(features, width, batch);
  const triggers = new Float32Array(pixels.length);
  const velocity = new Float32Array(pixels.length);
  // The published steps carry no momentum.
  const descent = { rule: config.stepRule, size: config.stepSize, momentum: 0 };
  const ball = { norm: config.norm, radius: perImageRadius(problem) };
  const size = imageValues(problem);
  for (let step = 0; step < config.innerSteps; step++) {
    const { gradient } = await bench.invertPerImage({ pixels, triggers, positive, negative });
    for (let from = 0; from < pixels.length; from += size) {
      const part = (values: Float32Array) => values.subarray(from, from + size);
      descend(part(triggers), part(velocity), part(gradient), descent, ball);
      keepInRange(part(triggers), part(pixels));
    }
  }
  const stamped = batch.map((_, position) =>
    pixels
      .subarray(position * size, (position + 1) * size)
      .map((value, index) => value + triggers[position * size + index]!),
  );
  return { simulated, features: await bench.encode(stamped) };
}

/** The radius that was asked for, or the ancestor method's 3 · side / 32. */
export const perImageRadius = (problem: Problem): number =>
  problem.config.radius || (3 * shortSide(problem)) / 32;

/** The shot of the simulated class whose feature attracts: the farthest from the shot's own, by default. */
function choosePositive(
  { shots, features, width, config }: Problem,
  shot: number,
  simulated: number,
  uniform: number,
) {
  const candidates = shots.flatMap(({ label }, index) => (label === simulated ? [index] : []));
  if (config.positive === "RANDOM") return candidates[Math.floor(uniform * candidates.length)]!;
  const similarity = (index: number) => dot(row(features, width, shot), row(features, width, index));
  const sign = config.positive === "FARTHEST" ? -1 : 1;
  return candidates.reduce((best, index) =>
    sign * similarity(index) > sign * similarity(best) ? index : best,
  );
}
