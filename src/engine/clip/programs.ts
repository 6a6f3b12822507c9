import { GraphBuilder } from "../onnx/builder.ts";
import type { Program } from "../runtime/program.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { imageEmbedding, textEmbedding } from "./towers.ts";

/** The image tower alone: `pixels` [N, 3, H, W] in [0, 1] to `embedding` [N, D], normalised. */
export function imageProgram(checkpoint: Checkpoint, { batch }: { batch: number | "dynamic" }): Program {
  const g = new GraphBuilder({ name: "image" });
  const { height, width } = checkpoint.architecture.image.imageSize;
  const pixels = g.input("pixels", [batch === "dynamic" ? 1 : batch, 3, height, width]);
  g.output(imageEmbedding(g, checkpoint, pixels), "embedding");
  const program = { graph: g.build(), folder: checkpoint.weightsFolder };
  return batch === "dynamic" ? { ...program, dynamicBatch: "pixels" } : program;
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
