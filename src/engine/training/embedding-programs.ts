import type { TowerModel } from "../clip/towers.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Program } from "../runtime/program.ts";
import type { Layout } from "./layout.ts";
import { learnerOf, weightInputs } from "./learner.ts";

/** `pixels` uint8 [N, 3, H, W] to `embedding` [N, D], normalised, with the weights of a training state as inputs. */
export function imagesProgram(model: TowerModel, layout: Layout, batch: number): Program {
  const g = new GraphBuilder({ name: "images of a learner" });
  const learner = learnerOf(g, model, layout, weightInputs(g, layout));
  const { height, width } = model.architecture.image.imageSize;
  g.output(learner.images(g.input("pixels", [batch, 3, height, width], "uint8")), "embedding");
  return { graph: g.build(), folder: "." };
}

/** `tokens` [N, L] (int64) and `endOfText` [N, L, 1] to `embedding` [N, D], normalised, with the same inputs. */
export function textsProgram(
  model: TowerModel,
  layout: Layout,
  { batch, length }: { batch: number; length: number },
): Program {
  const g = new GraphBuilder({ name: "texts of a learner" });
  const learner = learnerOf(g, model, layout, weightInputs(g, layout));
  const tokens = g.input("tokens", [batch, length], "int64");
  g.output(learner.texts(tokens, g.input("endOfText", [batch, length, 1])), "embedding");
  return { graph: g.build(), folder: "." };
}
