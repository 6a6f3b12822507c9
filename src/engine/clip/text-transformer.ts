import { AppError } from "../../errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { tensorOf } from "../onnx/tensor.ts";
import type { TextTower } from "./architecture.ts";
import { layerNorm } from "./layers.ts";
import { transformer, transformerTensors } from "./transformer.ts";
import { type ExpectedTensor, named, normTensors, type Weights, within } from "./weights.ts";

/** Added to the scores of positions that must not be seen: their softmax is zero in float32. */
const HIDDEN = -1e9;

/**
 * Token vectors [C, L, d], positions not yet added, to features [C, D] of the position that `endOfText` [C, L, 1]
 * marks with a one. The attention is causal: what follows that position changes nothing, so L may be cut to the
 * longest one. Throws INVALID_GRAPH where L exceeds the context.
 */
export function textTransformer(
  g: GraphBuilder,
  tower: TextTower,
  weights: Weights,
  tokens: Wire,
  endOfText: Wire,
): Wire {
  const length = tokens.shape[1];
  if (length > tower.contextLength) {
    const message = `A prompt of ${length} tokens does not fit the context of ${tower.contextLength}. Shorten it.`;
    throw new AppError("INVALID_GRAPH", message, { length, contextLength: tower.contextLength });
  }
  const positions = g.slice(weights("positional_embedding"), [0], [length]);
  const placed = g.add(tokens, positions);
  const causal = causalMask(g, length);
  const states = transformer(g, tower, within(weights, "transformer"), placed, causal);
  const pooled = g.reduceSum(g.mul(states, endOfText), [1]);
  return g.matmul(
    layerNorm(g, pooled, within(weights, "ln_final"), tower.normEpsilon),
    weights("text_projection"),
  );
}

/** [L, L]: row i sees columns 0 to i. */
function causalMask(g: GraphBuilder, length: number): Wire {
  const cells = Array.from({ length: length * length }, (_, cell) =>
    cell % length > Math.floor(cell / length) ? HIDDEN : 0,
  );
  return g.constant(tensorOf(g.float, [length, length], cells));
}

export function textTransformerTensors(tower: TextTower, embeddingWidth: number): ExpectedTensor[] {
  const { width, contextLength, vocabulary } = tower;
  return [
    ["token_embedding.weight", [vocabulary, width]],
    ["positional_embedding", [contextLength, width]],
    ...named("transformer", transformerTensors(tower)),
    ...named("ln_final", normTensors(width)),
    ["text_projection", [width, embeddingWidth]],
  ];
}
