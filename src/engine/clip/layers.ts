import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { ActivationName } from "./architecture.ts";
import type { Weights } from "./weights.ts";

/**
 * α·x·Wᵀ + β·b on the last axis of [N, d] or [L, N, d], with W as PyTorch keeps it: [outputs, inputs]. Both factors are
 * 1 unless given, and cost nothing.
 */
export function linear(
  g: GraphBuilder,
  x: Wire,
  weight: Wire,
  bias: Wire,
  factors: { readonly alpha?: number; readonly beta?: number } = {},
): Wire {
  // As one matrix product W is read as it lies; MatMul would need a transposed copy, and its gradient another.
  const product = (rows: Wire) => g.gemm(rows, weight, bias, { transB: true, ...factors });
  if (x.shape.length === 2) return product(x);
  const [length, , inputs] = x.shape;
  return g.reshape(product(g.reshape(x, [-1, inputs])), [length, -1, weight.shape[0]]);
}

export function layerNorm(g: GraphBuilder, x: Wire, weights: Weights, epsilon: number): Wire {
  return g.layerNormalization(x, weights("weight"), weights("bias"), epsilon);
}

/** Multi-head attention: softmax(q·kᵀ/√h + mask)·v in every head of width h, for q [L,N,d] and k, v [M,N,d]. */
export function attention(g: GraphBuilder, heads: number, q: Wire, k: Wire, v: Wire, mask?: Wire): Wire {
  const [length, , width] = q.shape;
  const headWidth = width / heads;
  // The heads of all N are one axis. As long as the sequence comes first, products read them without a copy.
  const split = (x: Wire, order: number[]) => g.transpose(g.reshape(x, [x.shape[0], -1, headWidth]), order);
  const scores = g.mul(g.matmul(split(q, [1, 0, 2]), split(k, [1, 2, 0])), headWidth ** -0.5);
  const attended = g.matmul(g.softmax(mask ? g.add(scores, mask) : scores), split(v, [1, 0, 2]));
  return g.reshape(g.transpose(attended, [1, 0, 2]), [length, -1, width]);
}

/** y = after · shape(before · x): a perceptron gives the factors to the products around it. */
export interface Activation {
  readonly before: number;
  readonly shape: (g: GraphBuilder, x: Wire) => Wire;
  readonly after: number;
}

export const activations: Readonly<Record<ActivationName, Activation>> = {
  // x · Φ(x) = x · (1 + erf(x/√2)) / 2
  gelu: {
    before: 1,
    shape: (g, x) => g.mul(g.mul(x, g.add(g.erf(g.div(x, Math.SQRT2)), 1)), 0.5),
    after: 1,
  },
  // x · σ(1.702 x)
  "quick-gelu": { before: 1.702, shape: (g, x) => g.mul(x, g.sigmoid(x)), after: 1 / 1.702 },
};
