import { floatOf, intOf } from "../../onnx/attributes.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Wire } from "../../onnx/graph.ts";
import type { Rule } from "../rule.ts";

export const linear = {
  // y = a · b        ā = ȳ · bᵀ       b̄ = aᵀ · ȳ
  MatMul: ({ g, in: [a, b], grad: [dy] }) => {
    const left = a.shape.length === 1 ? g.unsqueeze(a, [0]) : a;
    const right = b.shape.length === 1 ? g.unsqueeze(b, [1]) : b;
    const whole = g.reshape(dy, matrixShape(dy, a, b));
    const da = g.sumTo(g.matmul(whole, g.transposeMatrix(right)), left.shape);
    return [g.reshape(da, a.shape), g.reshape(rightGradient(g, left, right, whole), b.shape)];
  },

  // y = α a′b′ + β c     ā′ = α ȳ b′ᵀ     b̄′ = α a′ᵀ ȳ     c̄ = β ȳ     with x′ = x or xᵀ
  Gemm: ({ g, node, in: [a, b, c], grad: [dy] }) => {
    const [transA, transB] = [intOf(node, "transA", 0) === 1, intOf(node, "transB", 0) === 1];
    const [alpha, beta] = [floatOf(node, "alpha", 1), floatOf(node, "beta", 1)];
    const product = (l: Wire, r: Wire, tl: boolean, tr: boolean): Wire =>
      g.gemm(l, r, undefined, { transA: tl, transB: tr, alpha });
    return [
      transA ? product(b, dy, transB, true) : product(dy, b, false, !transB),
      transB ? product(dy, a, true, transA) : product(a, dy, !transA, false),
      c && g.sumTo(beta === 1 ? dy : g.mul(dy, beta), c.shape),
    ];
  },
} satisfies Record<string, Rule>;

/** The shape that a product would have if its vectors were matrices. */
function matrixShape(dy: Wire, a: Wire, b: Wire): number[] {
  const shape = [...dy.shape];
  if (b.shape.length === 1) shape.push(1);
  if (a.shape.length === 1) shape.splice(shape.length - 1, 0, 1);
  return shape;
}

/** A matrix shared by a whole batch takes one product over all rows, not one for each element and their sum. */
function rightGradient(g: GraphBuilder, a: Wire, b: Wire, dy: Wire): Wire {
  if (b.shape.length > 2 || a.shape.length === 2) return g.sumTo(g.matmul(g.transposeMatrix(a), dy), b.shape);
  const rows = (wire: Wire): Wire => g.reshape(wire, [-1, wire.shape[wire.shape.length - 1]]);
  return g.matmul(g.transpose(rows(a)), rows(dy));
}
