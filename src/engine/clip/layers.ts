import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { ActivationName } from "./architecture.ts";
import type { Weights } from "./weights.ts";

/** x·Wᵀ + b on the last axis of [N, d] or [N, L, d], with W as PyTorch keeps it: [outputs, inputs]. */
export function linear(g: GraphBuilder, x: Wire, weight: Wire, bias: Wire): Wire {
  // As one matrix product W is read as it lies; MatMul would need a transposed copy, and its gradient another.
  const product = (rows: Wire) => g.gemm(rows, weight, bias, { transB: true });
  if (x.shape.length === 2) return product(x);
  const [, length, inputs] = x.shape;
  return g.reshape(product(g.reshape(x, [-1, inputs])), [-1, length, weight.shape[0]]);
}

export function layerNorm(g: GraphBuilder, x: Wire, weights: Weights, epsilon: number): Wire {
  return g.layerNormalization(x, weights("weight"), weights("bias"), epsilon);
}

/** Multi-head attention: softmax(q·kᵀ/√h + mask)·v in every head of width h, for q [N,L,d] and k, v [N,M,d]. */
export function attention(g: GraphBuilder, heads: number, q: Wire, k: Wire, v: Wire, mask?: Wire): Wire {
  const [, length, width] = q.shape;
  const headWidth = width / heads;
  // [N, L, d] to [N, heads, L, h] and [N, heads, h, M]
  const split = (x: Wire, order: number[]) =>
    g.transpose(g.reshape(x, [0, x.shape[1], heads, headWidth]), order);
  const scores = g.matmul(split(g.mul(q, headWidth ** -0.5), [0, 2, 1, 3]), split(k, [0, 2, 3, 1]));
  const attended = g.matmul(g.softmax(mask ? g.add(scores, mask) : scores), split(v, [0, 2, 1, 3]));
  return g.reshape(g.transpose(attended, [0, 2, 1, 3]), [0, length, width]);
}

export const activations: Readonly<Record<ActivationName, (g: GraphBuilder, x: Wire) => Wire>> = {
  // x · Φ(x) = x · (1 + erf(x/√2)) / 2
  gelu: (g, x) => g.mul(g.mul(x, g.add(g.erf(g.div(x, Math.SQRT2)), 1)), 0.5),
  // x · σ(1.702 x)
  "quick-gelu": (g, x) => g.mul(x, g.sigmoid(g.mul(x, 1.702))),
};
