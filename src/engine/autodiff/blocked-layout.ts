import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { MOST_FACTORS, writtenOut } from "../onnx/passes/constants.ts";
import { tensorOf } from "../onnx/tensor.ts";

/**
 * On a CPU, ONNX Runtime keeps feature maps in blocks of 16 channels between convolutions, and copies them out of
 * that layout for a Where, a Greater or a product with a number. What is written as a convolution stays in it.
 */
export function inBlockedLayout(g: GraphBuilder, map: Wire): boolean {
  return g.provider === "cpu" && map.type === "float32" && map.shape.length === 4 && map.shape[1] % 16 === 0;
}

/** x times a number. */
export function scaledInBlocks(g: GraphBuilder, x: Wire, factor: number): Wire {
  const channels = x.shape[1];
  const factors = Array(writtenOut(channels, MOST_FACTORS)).fill(factor);
  const weight = g.constant(tensorOf(x.type, [channels, 1, 1, 1], factors));
  return g.conv(x, weight, undefined, { group: channels });
}
