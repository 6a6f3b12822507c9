import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { TransformerShape } from "./architecture.ts";
import { type Activation, attention, layerNorm, linear } from "./layers.ts";
import { type ExpectedTensor, linearTensors, named, normTensors, type Weights, within } from "./weights.ts";

/** The blocks that both transformers are made of: x [N, L, d] to [N, L, d]. A mask [L, L] is added to the scores. */
export function transformer(
  g: GraphBuilder,
  { layers, heads }: TransformerShape,
  weights: Weights,
  activation: Activation,
  x: Wire,
  mask?: Wire,
): Wire {
  let y = x;
  for (let layer = 0; layer < layers; layer++) {
    y = residualBlock(g, heads, within(weights, `resblocks.${layer}`), activation, y, mask);
  }
  return y;
}

// y = x + attention(norm x)        z = y + mlp(norm y)
function residualBlock(
  g: GraphBuilder,
  heads: number,
  weights: Weights,
  activation: Activation,
  x: Wire,
  mask?: Wire,
): Wire {
  const normed = layerNorm(g, x, within(weights, "ln_1"));
  const y = g.add(x, selfAttention(g, heads, within(weights, "attn"), normed, mask));
  return g.add(y, mlp(g, within(weights, "mlp"), activation, layerNorm(g, y, within(weights, "ln_2"))));
}

function selfAttention(g: GraphBuilder, heads: number, weights: Weights, x: Wire, mask?: Wire): Wire {
  const width = x.shape[2];
  const projected = linear(g, x, weights("in_proj_weight"), weights("in_proj_bias"));
  const [q, k, v] = g.split(projected, [width, width, width], 2);
  const attended = attention(g, heads, q, k, v, mask);
  return linear(g, attended, weights("out_proj.weight"), weights("out_proj.bias"));
}

function mlp(g: GraphBuilder, weights: Weights, activation: Activation, x: Wire): Wire {
  const hidden = activation(g, linear(g, x, weights("c_fc.weight"), weights("c_fc.bias")));
  return linear(g, hidden, weights("c_proj.weight"), weights("c_proj.bias"));
}

export function transformerTensors({ layers, width, mlpWidth }: TransformerShape): ExpectedTensor[] {
  const block: ExpectedTensor[] = [
    ...named("ln_1", normTensors(width)),
    ["attn.in_proj_weight", [3 * width, width]],
    ["attn.in_proj_bias", [3 * width]],
    ...named("attn.out_proj", linearTensors(width, width)),
    ...named("ln_2", normTensors(width)),
    ...named("mlp.c_fc", linearTensors(width, mlpWidth)),
    ...named("mlp.c_proj", linearTensors(mlpWidth, width)),
  ];
  return Array.from({ length: layers }, (_, layer) => named(`resblocks.${layer}`, block)).flat();
}
