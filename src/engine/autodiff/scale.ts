import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";

/** The number that a constant stands for, if it is one. */
export function factorOf(g: GraphBuilder, wire: Wire): number | undefined {
  return wire.shape.length === 0 ? g.numbers(wire)?.[0] : undefined;
}

/**
 * A gradient times a number. Scaling what a rule has just scaled makes one product: chains of constants, as that of
 * a GELU, would cost a pass over the data each.
 */
export function scale(g: GraphBuilder, dy: Wire, factor: number): Wire {
  const before = g.producer(dy);
  if (before?.op !== "Mul") return g.mul(dy, factor);
  const [inner, constant] = before.inputs.map((name) => g.wire(name));
  const earlier = factorOf(g, constant);
  return earlier === undefined ? g.mul(dy, factor) : g.mul(inner, earlier * factor);
}
