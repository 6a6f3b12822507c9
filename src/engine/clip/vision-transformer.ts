import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { VisionTransformerTower } from "./architecture.ts";
import { type Activation, layerNorm } from "./layers.ts";
import { transformer, transformerTensors } from "./transformer.ts";
import { type ExpectedTensor, named, normTensors, type Weights, within } from "./weights.ts";

/** Images [N, 3, H, W], normalised by mean and deviation, to features [N, D]: the class token's last state. */
export function visionTransformer(
  g: GraphBuilder,
  tower: VisionTransformerTower,
  weights: Weights,
  activation: Activation,
  images: Wire,
): Wire {
  const embedded = layerNorm(g, embedPatches(g, tower, weights, images), within(weights, "ln_pre"));
  const states = transformer(g, tower, within(weights, "transformer"), activation, embedded);
  const classState = g.reshape(g.slice(states, [0], [1], [1]), [0, tower.width]);
  return g.matmul(layerNorm(g, classState, within(weights, "ln_post")), weights("proj"));
}

/** One token for the class and one for each patch, with their positions: [N, P + 1, d]. */
function embedPatches(
  g: GraphBuilder,
  { patchSize, patches, width }: VisionTransformerTower,
  weights: Weights,
  images: Wire,
): Wire {
  const grid = g.conv(images, weights("conv1.weight"), undefined, { strides: [patchSize, patchSize] });
  const tokens = g.transpose(g.reshape(grid, [0, width, patches]), [0, 2, 1]);
  // The class token is added where a zero is padded: its own copy for every image would fix the size of the batch.
  const classToken = g.pad(g.reshape(weights("class_embedding"), [1, width]), [0, 0, patches, 0]);
  const positions = g.add(weights("positional_embedding"), classToken);
  return g.add(g.pad(tokens, [0, 1, 0, 0, 0, 0]), positions);
}

export function visionTransformerTensors(
  tower: VisionTransformerTower,
  embeddingWidth: number,
): ExpectedTensor[] {
  const { width, patchSize, patches } = tower;
  return [
    ["conv1.weight", [width, 3, patchSize, patchSize]],
    ["class_embedding", [width]],
    ["positional_embedding", [patches + 1, width]],
    ...named("ln_pre", normTensors(width)),
    ...named("transformer", transformerTensors(tower)),
    ...named("ln_post", normTensors(width)),
    ["proj", [width, embeddingWidth]],
  ];
}
