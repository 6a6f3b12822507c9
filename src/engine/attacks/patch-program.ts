import { gradients } from "../autodiff/gradients.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import { imageEmbedding } from "../clip/towers.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { float32 } from "../onnx/tensor.ts";
import type { Device } from "../runtime/device.ts";
import type { Program } from "../runtime/program.ts";
import { cornerOf, type Position } from "./patch.ts";

/**
 * What a row of a batch may be compared with, [B, D] normalised each: sentences about the target, the row's own
 * sentence, images of the target, the row's image without the patch.
 */
export const FEATURES = ["targetTexts", "ownTexts", "targetImages", "cleanImages"] as const;

export type Feature = (typeof FEATURES)[number];

/** What a patch is optimised for. */
export interface PatchObjective {
  readonly features: readonly Feature[];
  /** The losses by name, scalars with their weights already in them; `triggered` [B, D] is normalised. */
  losses(
    g: GraphBuilder,
    triggered: Wire,
    features: Readonly<Record<Feature, Wire>>,
    logitScale: number,
  ): Readonly<Record<string, Wire>>;
}

/** What the name of a loss's output begins with. */
export const LOSS = "loss.";

/**
 * The losses of images under a patch and their gradient by it: `pixels` uint8 [B, 3, H, W], `patch` [3, side, side] and
 * the objective's features to `loss.<name>`, scalars, and `gradient` [3, side, side] of their sum.
 */
export function patchProgram(
  checkpoint: Checkpoint,
  objective: PatchObjective,
  { batch, side, position }: { batch: number; side: number; position: Position },
  provider: Device = "cpu",
): Program {
  const g = new GraphBuilder({ name: "patch", provider });
  const { height, width } = checkpoint.architecture.image.imageSize;
  const patch = g.input("patch", [3, side, side]);
  const pixels = g.div(g.cast(g.input("pixels", [batch, 3, height, width], "uint8"), g.float), 255);
  const { row, column } = cornerOf({ width, height }, side, position);
  const over = (value: Wire) => g.pad(value, [0, row, column, 0, height - side - row, width - side - column]);
  const covered = over(g.constant(float32([1, side, side], new Float32Array(side * side).fill(1))));
  const stamped = g.add(g.mul(pixels, g.sub(1, covered)), over(patch));
  const triggered = imageEmbedding(g, checkpoint, stamped);
  const features = Object.fromEntries(
    objective.features.map((name) => [name, g.input(name, [batch, checkpoint.architecture.embeddingWidth])]),
  ) as Record<Feature, Wire>;
  const losses = objective.losses(g, triggered, features, checkpoint.logitScale);
  const total = Object.values(losses).reduce((sum, loss) => g.add(sum, loss));
  const [gradient] = gradients(g, total, [patch]);
  for (const [name, loss] of Object.entries(losses)) g.output(loss, LOSS + name);
  g.output(gradient!, "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}
