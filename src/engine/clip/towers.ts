import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { tensorOf } from "../onnx/tensor.ts";
import type { ClipArchitecture } from "./architecture.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type Activation, gelu, quickGelu } from "./layers.ts";
import { resNet } from "./resnet.ts";
import { textTransformer } from "./text-transformer.ts";
import { visionTransformer } from "./vision-transformer.ts";
import { checkpointWeights, type Weights, within } from "./weights.ts";

/**
 * Pixels [N, 3, H, W] in [0, 1] to L2-normalised embeddings [N, D]. The normalisation by mean and deviation is part
 * of it, so gradients are those of pixels. Nothing depends on N.
 */
export function imageEmbedding(g: GraphBuilder, checkpoint: Checkpoint, pixels: Wire): Wire {
  const tower = checkpoint.architecture.image;
  const weights = within(checkpointWeights(g, checkpoint), "visual");
  const images = standardise(g, checkpoint, pixels);
  const features =
    tower.kind === "resnet"
      ? resNet(g, tower, weights, images)
      : visionTransformer(g, tower, weights, activationOf(checkpoint.architecture), images);
  return g.normalize(features);
}

/**
 * Token or context vectors [C, L, d], positions not yet added, to L2-normalised embeddings [C, D]; `endOfText`
 * [C, L, 1] is one at the pooled position and zero elsewhere.
 */
export function textEmbedding(g: GraphBuilder, checkpoint: Checkpoint, tokens: Wire, endOfText: Wire): Wire {
  const { architecture } = checkpoint;
  const weights = textWeights(g, checkpoint);
  const activation = activationOf(architecture);
  return g.normalize(textTransformer(g, architecture.text, weights, activation, tokens, endOfText));
}

function textWeights(g: GraphBuilder, checkpoint: Checkpoint): Weights {
  const weights = checkpointWeights(g, checkpoint);
  return (name) => weights(`${checkpoint.textPrefix}${name}`);
}

// (x − mean) / deviation, channel by channel
function standardise(g: GraphBuilder, checkpoint: Checkpoint, pixels: Wire): Wire {
  const { mean, std } = checkpoint.preprocessing;
  const perChannel = (values: readonly number[]) => g.constant(tensorOf(g.float, [3, 1, 1], values));
  return g.div(g.sub(pixels, perChannel(mean)), perChannel(std));
}

function activationOf(architecture: ClipArchitecture): Activation {
  return architecture.quickGelu ? quickGelu : gelu;
}
