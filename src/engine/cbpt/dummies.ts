import { randomStream } from "../random.ts";
import type { Suspect } from "./audit.ts";
import type { CbptConfig } from "./config.ts";
import { gatherRows, row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { stamp } from "./trigger.ts";
import { batchIndices, isWarmingUp, lossWeights, type Tuning } from "./tuning.ts";
import type { TuningBatch, Workbench } from "./workbench.ts";

/** Features of every shot with every suspect's trigger at every strength: one [N, D] for each, suspects outermost. */
export function dummyFeatures(bench: Workbench, suspects: readonly Suspect[]): Promise<Float32Array[]> {
  return bench.remember(suspects, async () => {
    const { shots, config } = bench.problem;
    const bank: Float32Array[] = [];
    for (const { trigger } of suspects)
      for (const strength of strengths(config))
        bank.push(await bench.encode(shots.map(({ pixels }) => stamp(pixels, trigger, strength))));
    return bank;
  });
}

/** Evenly from the weakest to the strongest, in multiples of the trigger. */
export function strengths({ dummyLevels, dummyWeakest, dummyStrongest }: CbptConfig): number[] {
  if (dummyLevels === 1) return [1];
  const gap = (dummyStrongest - dummyWeakest) / (dummyLevels - 1);
  return Array.from({ length: dummyLevels }, (_, level) => dummyWeakest + level * gap);
}

/**
 * The next batch of a universal run, from features alone: each shot with a dummy of one suspect at one strength, both
 * drawn anew. A suspect's own shots are not dummies of it: its trigger on them is not asked to change anything.
 */
export async function universalBatch(
  bench: Workbench,
  tuning: Tuning,
  suspects: readonly Suspect[],
): Promise<TuningBatch> {
  const { problem } = bench;
  const { shots, features, width, config } = problem;
  const indices = batchIndices(problem, tuning);
  const clean = gatherRows(features, width, indices);
  const labels = indices.map((index) => shots[index]!.label);
  if (suspects.length === 0 || isWarmingUp(problem, tuning)) return cleanBatch(problem, clean, labels);
  const bank = await dummyFeatures(bench, suspects);
  const random = randomStream(config.seed, "dummies", tuning.epoch, tuning.batch);
  const dummy = clean.slice();
  const targets = indices.map((index, position) => {
    const chosen = random.below(bank.length);
    const target = suspects[Math.floor(chosen / config.dummyLevels)]!.label;
    if (target === shots[index]!.label) return -1;
    dummy.set(row(bank[chosen]!, width, index), position * width);
    return target;
  });
  return {
    ...cleanBatch(problem, clean, labels),
    dummy,
    suspects: targets,
    weights: lossWeights(config),
  };
}

/** A batch on which only the cross-entropy of the clean shots counts. */
export const cleanBatch = (
  { config, labels: classes }: Problem,
  clean: Float32Array,
  labels: readonly number[],
): TuningBatch => ({
  clean,
  dummy: clean,
  labels,
  emphasis: labels.map(() => 1),
  anchors: classes.map(() => config.anchor),
  suspects: labels.map(() => -1),
  weights: [0, 0, config.gamma, 0, 1],
});
