import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { TransformerShape } from "./architecture.ts";
import { activations, attention, layerNorm, linear } from "./layers.ts";
import { type ExpectedTensor, linearTensors, named, normTensors, type Weights, within } from "./weights.ts";

/** The blocks that both transformers are made of: x [N, L, d] to [N, L, d]. A mask [L, L] is added to the scores. */
export function transformer(
  g: GraphBuilder,
  shape: TransformerShape,
  weights: Weights,
  x: Wire,
  mask?: Wire,
): Wire {
  // The sequence comes first in here, which attention and its gradient take without copies.
  let y = g.transpose(x, [1, 0, 2]);
  for (let layer = 0; layer < shape.layers; layer++) {
    y = residualBlock(g, shape, within(weights, `resblocks.${layer}`), y, mask);
  }
  return g.transpose(y, [1, 0, 2]);
}

// y = x + γ₁ · attention(norm x)        z = y + γ₂ · mlp(norm y)        without layer scale γ is one
function residualBlock(
  g: GraphBuilder,
  shape: TransformerShape,
  weights: Weights,
  x: Wire,
  mask?: Wire,
): Wire {
  const { heads, normEpsilon, layerScale } = shape;
  const scaled = (part: string, added: Wire): Wire =>
    layerScale ? g.mul(added, weights(`${part}.gamma`)) : added;
  const normed = (part: string, value: Wire): Wire => layerNorm(g, value, within(weights, part), normEpsilon);
  const attended = selfAttention(g, heads, within(weights, "attn"), normed("ln_1", x), mask);
  const y = g.add(x, scaled("ls_1", attended));
  return g.add(y, scaled("ls_2", mlp(g, shape, within(weights, "mlp"), normed("ln_2", y))));
}

function selfAttention(g: GraphBuilder, heads: number, weights: Weights, x: Wire, mask?: Wire): Wire {
  const width = x.shape[2];
  const projected = linear(g, x, weights("in_proj_weight"), weights("in_proj_bias"));
  const [q, k, v] = g.split(projected, [width, width, width], 2);
  const attended = attention(g, heads, q, k, v, mask);
  return linear(g, attended, weights("out_proj.weight"), weights("out_proj.bias"));
}

function mlp(g: GraphBuilder, tower: TransformerShape, weights: Weights, x: Wire): Wire {
  const { before, shape, after } = activations[tower.activation];
  const factors = { alpha: before, beta: before };
  const hidden = shape(g, linear(g, x, weights("c_fc.weight"), weights("c_fc.bias"), factors));
  return linear(g, hidden, weights("c_proj.weight"), weights("c_proj.bias"), { alpha: after });
}

export function transformerTensors(shape: TransformerShape): ExpectedTensor[] {
  const { layers, width, mlpWidth, layerScale } = shape;
  const scales: ExpectedTensor[] = [
    ["ls_1.gamma", [width]],
    ["ls_2.gamma", [width]],
  ];
  const block: ExpectedTensor[] = [
    ...named("ln_1", normTensors(width)),
    ["attn.in_proj_weight", [3 * width, width]],
    ["attn.in_proj_bias", [3 * width]],
    ...named("attn.out_proj", linearTensors(width, width)),
    ...named("ln_2", normTensors(width)),
    ...named("mlp.c_fc", linearTensors(width, mlpWidth)),
    ...named("mlp.c_proj", linearTensors(mlpWidth, width)),
    ...(layerScale ? scales : []),
  ];
  return Array.from({ length: layers }, (_, layer) => named(`resblocks.${layer}`, block)).flat();
}
