import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";

/**
 * The losses of class-wise backdoor prompt tuning (Kong et al. 2025, arXiv:2502.19269) as graphs. Logits are [B, C],
 * `labels` and `suspects` are [B, C] one-hot; every loss is a scalar, the mean over the batch.
 */

/** Far below any logit (|logit| ≤ logit scale ≤ 100), so that e^(z − FAR) is exactly 0 in float32. */
const FAR = 1e4;

/** s · sim(f, T_c): logits [B, C] of normalised image features [B, D] for normalised text features [C, D]. */
export const similarityLogits = (g: GraphBuilder, image: Wire, text: Wire, scale: number): Wire =>
  g.mul(g.matmul(image, g.transpose(text)), scale);

/** CE = −mean log p(y); rows of `labels` may carry a weight in place of their 1. */
export const crossEntropy = (g: GraphBuilder, logits: Wire, labels: Wire): Wire =>
  g.neg(meanOfRows(g, g.mul(labels, g.logSoftmax(logits))));

/**
 * L_unl = −mean log(1 − p(y′)), where 1 − p(y′) = Σ_{c≠y′} e^{z_c} / Σ_c e^{z_c}. Written as the label's
 * log-probability among the classes other than y′ against that among all: its own logit cancels and nothing
 * underflows, as long as y ≠ y′. A row of zeros in `suspects` contributes 0.
 */
export function unlearning(g: GraphBuilder, dummy: Wire, labels: Wire, suspects: Wire): Wire {
  const amongOthers = g.logSoftmax(g.sub(dummy, g.mul(suspects, FAR)));
  return meanOfRows(g, g.mul(labels, g.sub(amongOthers, g.logSoftmax(dummy))));
}

/** L_ali = mean p(y|x) · KL(p(·|x) ‖ p(·|x+δ)); p(·|x) is a constant, the gradient does not enter it. */
export function alignment(g: GraphBuilder, clean: Wire, dummy: Wire, labels: Wire): Wire {
  const target = g.detach(clean);
  const confidence = g.reduceSum(g.mul(labels, g.softmax(target)), [1], { keepDimensions: true });
  return meanOfRows(g, g.mul(confidence, divergence(g, target, dummy)));
}

/** KL(p ‖ q) per class and row, [B, C]: p_c · (log p_c − log q_c), from the logits of both. */
const divergence = (g: GraphBuilder, p: Wire, q: Wire): Wire =>
  g.mul(g.softmax(p), g.sub(g.logSoftmax(p), g.logSoftmax(q)));

/**
 * L_drift = mean over the classes of a_c · (1 − sim(T_c, T⁰_c)): how far the text features [C, D] are from the
 * undefended ones, with a weight [C, 1] for each class.
 */
export const drift = (g: GraphBuilder, text: Wire, undefended: Wire, weights: Wire): Wire =>
  meanOfRows(
    g,
    g.mul(weights, g.sub(1, g.reduceSum(g.mul(text, undefended), [1], { keepDimensions: true }))),
  );

/**
 * L_tri = −mean log[ e^{sim(f,I⁺)/τ} / (e^{sim(f,I⁺)/τ} + e^{sim(f,I⁻)/τ}) ] for normalised features [B, D], summed
 * over the batch, not averaged: each image has its own trigger, and a mean would make raw steps vanish.
 */
export function triggerContrast(
  g: GraphBuilder,
  feature: Wire,
  positive: Wire,
  negative: Wire,
  temperature: number,
): Wire {
  const similarity = (other: Wire) => g.reduceSum(g.mul(feature, other), [1], { keepDimensions: true });
  const pair = g.concat([similarity(positive), similarity(negative)], 1);
  const [first] = g.split(g.logSoftmax(g.div(pair, temperature)), [1, 1], 1);
  return g.neg(g.reduceSum(first!));
}

/** The mean over the rows of what each row sums to. */
const meanOfRows = (g: GraphBuilder, x: Wire): Wire => g.div(g.reduceSum(x), x.shape[0]!);
