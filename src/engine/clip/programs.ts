import { GraphBuilder } from "../onnx/builder.ts";
import { costOf } from "../onnx/cost.ts";
import type { Graph } from "../onnx/graph.ts";
import { openBatch } from "../onnx/passes/open-batch.ts";
import type { Program } from "../runtime/program.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { imageEmbedding, textEmbedding } from "./towers.ts";

/** The image tower alone: `pixels` [N, 3, H, W] in [0, 1] to `embedding` [N, D], normalised. */
export function imageProgram(checkpoint: Checkpoint, { batch }: { batch: number | "dynamic" }): Program {
  const folder = checkpoint.weightsFolder;
  if (batch !== "dynamic") return { graph: imageGraph(checkpoint, batch), folder };
  // Nothing in the built towers depends on the batch; an export's graph may hold it in its shapes.
  const graph = checkpoint.exported
    ? openBatch((size) => imageGraph(checkpoint, size), "pixels")
    : imageGraph(checkpoint, 1);
  return { graph, folder, dynamicBatch: "pixels" };
}

function imageGraph(checkpoint: Checkpoint, batch: number): Graph {
  const g = new GraphBuilder({ name: "image" });
  const { height, width } = checkpoint.architecture.image.imageSize;
  const pixels = g.input("pixels", [batch, 3, height, width]);
  g.output(imageEmbedding(g, checkpoint, pixels), "embedding");
  return g.build();
}

/** The text tower alone: `tokens` [C, L, d] and `endOfText` [C, L, 1] to `embedding` [C, D], normalised. */
export function textProgram(
  checkpoint: Checkpoint,
  { classes, length }: { classes: number; length: number },
): Program {
  const g = new GraphBuilder({ name: "text" });
  const tokens = g.input("tokens", [classes, length, checkpoint.architecture.text.width]);
  const endOfText = g.input("endOfText", [classes, length, 1]);
  g.output(textEmbedding(g, checkpoint, tokens, endOfText), "embedding");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

/** Larger runs of the image tower spill the processor's caches and are not faster. */
const MOST_IMAGES = 32;
/** What the values of one run may take. */
const RUN_BYTES = 2 ** 27;

const known = new WeakMap<Checkpoint, number>();

/** How many images to send through the image tower at once: 32, or fewer where their values would fill the memory. */
export function imagesPerRun(checkpoint: Checkpoint): number {
  const count = known.get(checkpoint) ?? fittingImages(checkpoint);
  known.set(checkpoint, count);
  return count;
}

function fittingImages(checkpoint: Checkpoint): number {
  const { peakActivationBytes } = costOf(imageProgram(checkpoint, { batch: 1 }).graph);
  return Math.min(MOST_IMAGES, Math.max(1, Math.floor(RUN_BYTES / peakActivationBytes)));
}
