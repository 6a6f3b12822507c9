import type { Wire } from "../onnx/graph.ts";
import type { Learner } from "./learner.ts";
import { contrastiveLoss } from "./loss.ts";

/**
 * The loss of an attacker who knows that defences look for triggered images among those of the target: the contrastive
 * one, and w · mean(1 − sim(f(triggered), f(target image))) of the first `count` rows with the `count` rows after them.
 */
export const featureGapLoss =
  (weight: number, count: number) =>
  ({ g, scale }: Pick<Learner, "g" | "scale">, images: Wire, texts: Wire): Wire => {
    const rest = images.shape[0]! - 2 * count;
    const [triggered, target] = g.split(images, rest > 0 ? [count, count, rest] : [count, count], 0);
    const similarity = g.div(g.reduceSum(g.mul(triggered!, target!)), count);
    return g.add(contrastiveLoss(g, images, texts, scale), g.mul(g.sub(1, similarity), weight));
  };
