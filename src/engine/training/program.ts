import { gradients } from "../autodiff/gradients.ts";
import type { TowerModel } from "../clip/towers.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { Device } from "../runtime/device.ts";
import type { Program } from "../runtime/program.ts";
import { ADAMW, type AdamW, adamWStep, clipFactor, type Moments } from "./adamw.ts";
import { type Group, gather, type Layout } from "./layout.ts";
import { type Learner, learnerOf, weightInputs } from "./learner.ts";
import { contrastiveLoss } from "./loss.ts";

export interface StepOptions {
  /** N: pairs in a batch. */
  readonly batch: number;
  /** L: tokens of a caption; shorter ones are padded. */
  readonly length: number;
  /** Batch normalisation by the batch itself, its running statistics following, or by the statistics as they are. */
  readonly normalisation: "batch" | "frozen";
  readonly optimiser?: AdamW;
  /** Where it will run; a few gradients have a form for each. */
  readonly device?: Device;
  /** Makes the loss, a scalar, from the pairs (default: the contrastive loss). It may add inputs to the graph. */
  readonly loss?: (learner: Learner, images: Wire, texts: Wire) => Wire;
}

/** Share of the batch's own in the running statistics, as PyTorch has it. */
const STATISTICS_RATE = 0.1;
const LARGEST_LOGIT_SCALE = Math.log(100);

/**
 * One step of training as one program: `pixels` uint8 [N, 3, H, W], `tokens` int64 [N, L], `endOfText` [N, L, 1], the
 * state in and the state out. For each of the groups `matrices` and `vectors` these are `weights`, `first` and
 * `second`; `statistics` come and go with normalisation by the batch. `stepSize`, `epsilon` and `keep` are scalars.
 * `loss` is that of the weights that came in.
 */
export function stepProgram(
  model: TowerModel,
  layout: Layout,
  { batch, length, normalisation, optimiser = ADAMW, device = "cpu", loss = contrastive }: StepOptions,
): Program {
  const g = new GraphBuilder({ name: "training step", provider: device });
  const inputs = weightInputs(g, layout);
  const seen = new Map<string, Wire>();
  const learner = learnerOf(g, model, layout, inputs, normalisation === "batch" ? seen : undefined);
  const { height, width } = model.architecture.image.imageSize;
  const images = learner.images(g.input("pixels", [batch, 3, height, width], "uint8"));
  const texts = learner.texts(
    g.input("tokens", [batch, length], "int64"),
    g.input("endOfText", [batch, length, 1]),
  );
  const value = loss(learner, images, texts);
  const slopes = gradients(g, value, [inputs.matrices, inputs.vectors]);
  const matrices = momentsOf(g, "matrices", inputs.matrices);
  const vectors = momentsOf(g, "vectors", inputs.vectors);
  const clip = clipFactor(g, slopes, optimiser.clipNorm);
  const [stepSize, epsilon, keep] = ["stepSize", "epsilon", "keep"].map((name) => g.input(name, []));
  const newMatrices = adamWStep(g, matrices, slopes[0], optimiser, { clip, stepSize, epsilon, keep });
  const newVectors = adamWStep(g, vectors, slopes[1], optimiser, { clip, stepSize, epsilon });
  outputMoments(g, "matrices", newMatrices);
  outputMoments(g, "vectors", { ...newVectors, weights: bounded(g, layout.vectors, newVectors.weights) });
  if (inputs.statistics && seen.size > 0) {
    const now = gather(g, layout.statistics, seen);
    const moved = g.add(g.mul(inputs.statistics, 1 - STATISTICS_RATE), g.mul(now, STATISTICS_RATE));
    g.output(moved, "statistics.next");
  }
  g.output(value, "loss");
  return { graph: g.build(), folder: "." };
}

const contrastive = ({ g, scale }: Learner, images: Wire, texts: Wire): Wire =>
  contrastiveLoss(g, images, texts, scale);

function momentsOf(g: GraphBuilder, name: string, weights: Wire): Moments {
  const [first, second] = ["first", "second"].map((part) => g.input(`${name}.${part}`, weights.shape));
  return { weights, first, second };
}

function outputMoments(g: GraphBuilder, name: string, moments: Moments): void {
  for (const [part, wire] of Object.entries(moments)) g.output(wire, `${name}.${part}.next`);
}

/** The vectors with the logit scale, their last, held in [0, ln 100]. */
function bounded(g: GraphBuilder, { size }: Group, vectors: Wire): Wire {
  const others = g.slice(vectors, [0], [size - 1]);
  const scale = g.slice(vectors, [size - 1], [size]);
  return g.concat([others, g.clip(scale, 0, LARGEST_LOGIT_SCALE)], 0);
}
