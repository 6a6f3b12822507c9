import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { VisionTransformerTower } from "./architecture.ts";
import { layerNorm } from "./layers.ts";
import { transformer, transformerTensors } from "./transformer.ts";
import { type ExpectedTensor, named, normTensors, type Weights, within } from "./weights.ts";

/** Images [N, 3, H, W], normalised by mean and deviation, to features [N, D]. */
export function visionTransformer(
  g: GraphBuilder,
  tower: VisionTransformerTower,
  weights: Weights,
  images: Wire,
): Wire {
  const normed = (part: string, x: Wire): Wire => layerNorm(g, x, within(weights, part), tower.normEpsilon);
  const patches = embedPatches(g, tower, weights, images);
  const embedded = tower.normBeforeBlocks ? normed("ln_pre", patches) : patches;
  const states = transformer(g, tower, within(weights, "transformer"), embedded);
  return g.matmul(
    pool(g, tower, states, (x) => normed("ln_post", x)),
    weights("proj"),
  );
}

/** States [N, P + 1, d], the class token's first, to the normed one [N, d] that stands for the image. */
function pool(
  g: GraphBuilder,
  { pooling, width, patches }: VisionTransformerTower,
  states: Wire,
  norm: (x: Wire) => Wire,
): Wire {
  const mean = (x: Wire): Wire => g.reduceMean(g.slice(x, [1], [patches + 1], [1]), [1]);
  if (pooling === "mean-of-normed") return mean(norm(states));
  if (pooling === "norm-of-mean") return norm(mean(states));
  return norm(g.reshape(g.slice(states, [0], [1], [1]), [0, width]));
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
  const { width, patchSize, patches, normBeforeBlocks } = tower;
  return [
    ["conv1.weight", [width, 3, patchSize, patchSize]],
    ["class_embedding", [width]],
    ["positional_embedding", [patches + 1, width]],
    ...(normBeforeBlocks ? named("ln_pre", normTensors(width)) : []),
    ...named("transformer", transformerTensors(tower)),
    ...named("ln_post", normTensors(width)),
    ["proj", [width, embeddingWidth]],
  ];
}
