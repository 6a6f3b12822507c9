import { row } from "../../src/engine/cbpt/features.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { score } from "../../src/engine/clip/zero-shot.ts";
import { count } from "../../src/engine/evaluation/rate.ts";
import { auroc, thresholdAt } from "../../src/engine/evaluation/separation.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { modelFolder, need, type Performer } from "./context.ts";
import { readDefence } from "./defend.ts";
import { readFeatures } from "./encode.ts";

/** Of clean images, as many as may raise an alarm. */
const FALSE_ALARMS = 0.01;

/** Scores clean and triggered test images by KL(undefended answer ‖ purified answer), from one embedding each. */
export const tripwire: Performer<"tripwire"> = async (cell, { archive }) => {
  const { logitScale } = await openCheckpoint(modelFolder(cell, archive));
  const prompts = async (role: string) =>
    (await readDefence(archive, need(cell, role), "text_features")) as Float32Array;
  const [undefended, purified] = [await prompts("undefended"), await prompts("purified")];
  const width = undefended.length / OBJECTS.length;
  const scores = (features: Float32Array): number[] =>
    Array.from({ length: features.length / width }, (_, index) => {
      const feature = row(features, width, index);
      const [before, after] = [undefended, purified].map((text) => score(feature, text, logitScale).logits);
      return divergence(before, after);
    });
  const { clean, triggered } = await readFeatures(archive, need(cell, "encoded"));
  const { labels } = await archive.result(need<"render">(cell, "test"));
  const target = (OBJECTS as readonly string[]).indexOf(cell.input.target);
  const negatives = scores(clean);
  const positives = scores(triggered as Float32Array).filter((_, index) => labels[index] !== target);
  const seen = scores((await readFeatures(archive, need(cell, "seen"))).clean);
  const above = (values: readonly number[], threshold: number) => count(values, (value) => value > threshold);
  const calibrated = thresholdAt(FALSE_ALARMS, seen);
  return {
    auroc: auroc(positives, negatives),
    atOnePercent: above(positives, thresholdAt(FALSE_ALARMS, negatives)),
    calibrated: { detected: above(positives, calibrated), falseAlarms: above(negatives, calibrated) },
  };
};

/** KL(p ‖ q) = Σ p (log p − log q) of two softmaxes, from their logits. */
export function divergence(logits: Float32Array, others: Float32Array): number {
  const [p, q] = [logSoftmax(logits), logSoftmax(others)];
  return p.reduce((sum, value, index) => sum + Math.exp(value) * (value - q[index]), 0);
}

function logSoftmax(logits: Float32Array): number[] {
  const highest = Math.max(...logits);
  const sum = Math.log(logits.reduce((total, logit) => total + Math.exp(logit - highest), 0));
  return Array.from(logits, (logit) => logit - highest - sum);
}
