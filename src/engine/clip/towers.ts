import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { tensorOf } from "../onnx/tensor.ts";
import { builtArchitecture } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Preprocessing } from "./preprocessing.ts";
import { type ResNetOptions, resNet } from "./resnet.ts";
import { textTransformer } from "./text-transformer.ts";
import { visionTransformer } from "./vision-transformer.ts";
import { checkpointWeights, type Weights, within } from "./weights.ts";

/**
 * Pixels [N, 3, H, W] in [0, 1] to L2-normalised embeddings [N, D]. The normalisation by mean and deviation is part
 * of it, so gradients are those of pixels. Nothing depends on N.
 */
export function imageEmbedding(g: GraphBuilder, checkpoint: Checkpoint, pixels: Wire): Wire {
  const { exported, preprocessing } = checkpoint;
  if (exported) return g.normalize(exported.image(g, standardise(g, preprocessing, pixels)));
  return embedImages(g, checkpoint, checkpointWeights(g, checkpoint), pixels);
}

/** What the towers need to know of a model beside its weights. */
export type TowerModel = Pick<Checkpoint, "architecture" | "preprocessing">;

/** `imageEmbedding` with weights from anywhere, and for a ResNet with what its options say. */
export function embedImages(
  g: GraphBuilder,
  { architecture, preprocessing }: TowerModel,
  weights: Weights,
  pixels: Wire,
  options?: ResNetOptions,
): Wire {
  const tower = builtArchitecture(architecture).image;
  const visual = within(weights, "visual");
  const images = standardise(g, preprocessing, pixels);
  const features =
    tower.kind === "resnet"
      ? resNet(g, tower, visual, images, options)
      : visionTransformer(g, tower, visual, images);
  return g.normalize(features);
}

/**
 * Token or context vectors [C, L, d], positions not yet added, to L2-normalised embeddings [C, D]; `endOfText`
 * [C, L, 1] is one at the pooled position and zero elsewhere.
 */
export function textEmbedding(g: GraphBuilder, checkpoint: Checkpoint, tokens: Wire, endOfText: Wire): Wire {
  if (checkpoint.exported) return g.normalize(checkpoint.exported.text(g, tokens, endOfText));
  return embedTexts(g, checkpoint, checkpointWeights(g, checkpoint), tokens, endOfText);
}

/** `textEmbedding` with weights from anywhere. */
export function embedTexts(
  g: GraphBuilder,
  { architecture }: TowerModel,
  weights: Weights,
  tokens: Wire,
  endOfText: Wire,
): Wire {
  return g.normalize(textTransformer(g, builtArchitecture(architecture).text, weights, tokens, endOfText));
}

// (x − mean) / deviation, channel by channel
function standardise(g: GraphBuilder, { mean, std }: Preprocessing, pixels: Wire): Wire {
  const perChannel = (values: readonly number[]) => g.constant(tensorOf(g.float, [3, 1, 1], values));
  return g.div(g.sub(pixels, perChannel(mean)), perChannel(std));
}
