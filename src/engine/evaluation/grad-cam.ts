import { AppError } from "../../errors.ts";
import { gradients } from "../autodiff/gradients.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import { embedImages } from "../clip/towers.ts";
import { checkpointWeights } from "../clip/weights.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { Program } from "../runtime/program.ts";

/**
 * Where in an image a class is seen: Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391) at one of the four stages of a
 * ResNet's image tower. `pixels` [N, 3, H, W] and `text` [N, D], the text feature of the class to explain in each
 * image, to `heat` [N, h, w] = relu(Σ_k α_k A_k), where A is the stage's map and α_k the mean over its places of the
 * gradient of the cosine by A_k. Fails with UNSUPPORTED_ARCHITECTURE for a tower that has no such maps.
 */
export function gradCamProgram(
  checkpoint: Checkpoint,
  { batch, stage = 4 }: { readonly batch: number; readonly stage?: number },
): Program {
  const { image, embeddingWidth } = checkpoint.architecture;
  if (image.kind !== "resnet")
    throw new AppError(
      "UNSUPPORTED_ARCHITECTURE",
      `Grad-CAM needs the maps of a ResNet; the image tower of "${checkpoint.name}" is a ${image.kind}.`,
      { model: checkpoint.name },
    );
  const g = new GraphBuilder({ name: "grad-cam" });
  const pixels = g.input("pixels", [batch, 3, image.imageSize.height, image.imageSize.width]);
  const text = g.input("text", [batch, embeddingWidth]);
  let map: Wire | undefined;
  const tap = (number: number, wire: Wire): Wire => {
    if (number === stage) map = wire;
    return wire;
  };
  const embedding = embedImages(g, checkpoint, checkpointWeights(g, checkpoint), pixels, { tap });
  if (map === undefined) throw new AppError("VALIDATION_FAILED", `A ResNet has stages 1 to 4, not ${stage}.`);
  // Images do not look at each other, so the gradient of the sum holds that of each.
  const [slope] = gradients(g, g.reduceSum(g.mul(embedding, text)), [map]);
  const weights = g.reduceMean(slope, [2, 3], { keepDimensions: true });
  g.output(g.relu(g.reduceSum(g.mul(weights, map), [1])), "heat");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}
