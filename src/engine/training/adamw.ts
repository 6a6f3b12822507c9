import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";

/** Settings of AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101), with gradients clipped to a norm. */
export interface AdamW {
  /** Decay of the first and of the second moment. */
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** Share of the learning rate by which matrices shrink at each step. */
  readonly weightDecay: number;
  /** Largest Euclidean norm of all gradients together. */
  readonly clipNorm: number;
}

export const ADAMW: AdamW = { betas: [0.9, 0.98], epsilon: 1e-8, weightDecay: 0.1, clipNorm: 1 };

/** A weight with the moments of its gradient, all of one shape. */
export interface Moments {
  readonly weights: Wire;
  readonly first: Wire;
  readonly second: Wire;
}

/** The numbers of one step, scalars: what the bias corrections and the schedule come down to. */
export interface StepNumbers {
  readonly stepSize: number;
  readonly epsilon: number;
  /** What matrices are multiplied with; 1 without decay. */
  readonly keep: number;
}

/**
 * For step t = 1, 2, … at learning rate η:  w ← (1 − ηλ) w − η · (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε), written as
 * w ← keep · w − stepSize · m / (√v + ε′) with stepSize = η √(1 − β₂ᵗ) / (1 − β₁ᵗ) and ε′ = ε √(1 − β₂ᵗ).
 */
export function stepNumbers({ betas, epsilon, weightDecay }: AdamW, rate: number, step: number): StepNumbers {
  const [first, second] = betas.map((beta) => 1 - beta ** step);
  const root = Math.sqrt(second);
  return { stepSize: (rate * root) / first, epsilon: epsilon * root, keep: 1 - rate * weightDecay };
}

/** min(1, most / ‖gradients‖), a scalar. */
export function clipFactor(g: GraphBuilder, gradients: readonly Wire[], most: number): Wire {
  const squares = gradients.map((gradient) => g.one("ReduceSumSquare", [gradient], [], { keepdims: NO }));
  const norm = g.sqrt(squares.reduce((sum, square) => g.add(sum, square)));
  return g.min(g.div(most, g.add(norm, 1e-6)), 1);
}

const NO = { kind: "int", value: 0 } as const;

/**
 * One step for a group of weights. The gradient counts `clip` times; `keep` is absent for weights that do not decay.
 * m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²        w ← keep · w − stepSize · m / (√v + ε′)
 */
export function adamWStep(
  g: GraphBuilder,
  { weights, first, second }: Moments,
  gradient: Wire,
  { betas: [beta1, beta2] }: AdamW,
  { clip, stepSize, epsilon, keep }: { clip: Wire; stepSize: Wire; epsilon: Wire; keep?: Wire },
): Moments {
  const clipped = g.mul(gradient, clip);
  const newFirst = g.add(g.mul(first, beta1), g.mul(clipped, 1 - beta1));
  const newSecond = g.add(g.mul(second, beta2), g.mul(g.mul(clipped, clipped), 1 - beta2));
  const direction = g.div(newFirst, g.add(g.sqrt(newSecond), epsilon));
  const kept = keep ? g.mul(weights, keep) : weights;
  return { weights: g.sub(kept, g.mul(direction, stepSize)), first: newFirst, second: newSecond };
}
