import { score } from "../clip/zero-shot.ts";
import { type Random, randomStream } from "../random.ts";
import { type Bank, bankOf } from "./bank.ts";
import { oneHot, row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { dummyKinds, type Suspect } from "./suspect.ts";
import { batchRows, isWarmingUp, lossWeights, type Tuning } from "./tuning.ts";
import type { TuningBatch, Workbench } from "./workbench.ts";

/**
 * The next batch of a universal run, from features alone: each row one view of one shot, with a dummy of one kind,
 * drawn anew. A suspect's own shots are no dummies of it: its trigger on them is to change nothing.
 * They are few beside the dummies that look like them, so they weigh more, and their class is free to move.
 */
export async function universalBatch(
  bench: Workbench,
  tuning: Tuning,
  suspects: readonly Suspect[],
): Promise<TuningBatch> {
  const { problem } = bench;
  const { shots, width, config } = problem;
  const bank = await bankOf(bench, suspects);
  const random = randomStream(config.seed, "batch", tuning.epoch, tuning.batch);
  const rows = batchRows(problem, tuning);
  const labels = rows.map(({ shot }) => shots[shot].label);
  const clean = new Float32Array(rows.length * width);
  rows.forEach((place, index) => {
    clean.set(cleanFeature(problem, bank, place, random), index * width);
  });
  if (suspects.length === 0 || isWarmingUp(problem, tuning)) return cleanBatch(problem, clean, labels);
  const dummy = clean.slice();
  const kinds = dummyKinds(suspects, config);
  const targets = rows.map(({ view, shot }, index) => {
    const chosen = random.below(kinds.length);
    const target = kinds[chosen].label;
    if (target === labels[index]) return -1;
    dummy.set(row(bank.dummies[view][chosen], width, shot), index * width);
    return target;
  });
  const suspected = new Set(suspects.map(({ label }) => label));
  return {
    clean,
    dummy,
    labels,
    targets: cleanTargets(problem, clean, labels, suspected),
    suspects: targets,
    emphasis: labels.map((label) => (suspected.has(label) ? config.suspectEmphasis : 1)),
    anchors: problem.labels.map((_, label) => (suspected.has(label) ? config.suspectAnchor : config.anchor)),
    weights: lossWeights(config),
  };
}

/**
 * What clean rows are to be predicted as: mostly as the undefended model does, which knows more of the classes than a
 * few shots do; rows of suspected classes as their own class, because that is what the trigger has taken over.
 */
function cleanTargets(
  { matrix, width, checkpoint, labels: classes, config }: Problem,
  clean: Float32Array,
  labels: readonly number[],
  suspected: ReadonlySet<number> = new Set(),
): Float32Array {
  const targets = oneHot(labels, classes.length);
  labels.forEach((label, index) => {
    if (suspected.has(label)) return;
    const { probabilities } = score(row(clean, width, index), matrix, checkpoint.logitScale);
    const own = targets.subarray(index * classes.length, (index + 1) * classes.length);
    own.forEach((value, place) => {
      own[place] = (1 - config.distillation) * value + config.distillation * probabilities[place];
    });
  });
  return targets;
}

/** A batch on which only the cross-entropy of the clean rows counts, and the anchor. */
export const cleanBatch = (
  problem: Problem,
  clean: Float32Array,
  labels: readonly number[],
): TuningBatch => ({
  clean,
  dummy: clean,
  labels,
  targets: cleanTargets(problem, clean, labels),
  suspects: labels.map(() => -1),
  emphasis: labels.map(() => 1),
  anchors: problem.labels.map(() => problem.config.anchor),
  weights: [0, 0, problem.config.gamma, 0, 1],
});

/**
 * A row's clean feature; for some, one that the class might have: its mean with what sets another shot, of any class,
 * apart from its own mean. What varies within a class (place, light, background) varies alike in all of them, and few
 * shots of a class do not show all of it.
 */
function cleanFeature(
  { shots, width, config }: Problem,
  { clean, means }: Bank,
  { view, shot }: { view: number; shot: number },
  random: Random,
): Float32Array {
  if (random.uniform() >= config.exchange) return row(clean[view], width, shot);
  const [otherView, other] = [random.below(clean.length), random.below(shots.length)];
  const mean = row(means, width, shots[shot].label);
  const otherMean = row(means, width, shots[other].label);
  const moved = row(clean[otherView], width, other).map(
    (value, index) => value + mean[index] - otherMean[index],
  );
  const norm = Math.sqrt(moved.reduce((sum, value) => sum + value * value, 0));
  return moved.map((value) => value / norm);
}
