import { gradients } from "../autodiff/gradients.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import { imageEmbedding, textEmbedding } from "../clip/towers.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { Device } from "../runtime/device.ts";
import type { Program } from "../runtime/program.ts";
import { alignment, crossEntropy, drift, similarityLogits, triggerContrast, unlearning } from "./losses.ts";

/** The parts of the outer loss, in the order of the `weights` input and of the `losses` output. */
export const LOSSES = ["unlearning", "alignment", "cleanEntropy", "dummyEntropy", "drift"] as const;

/** Sizes of an outer step: C classes with prompts of L tokens, and B shots, each with its dummy. */
export interface TuningSize {
  readonly classes: number;
  readonly length: number;
  readonly batch: number;
}

/**
 * The outer step in one run: the losses and their gradient with respect to the prompts' token vectors.
 *
 * Inputs: `tokens` [C, L, d], `endOfText` [C, L, 1], and those of `tuningLosses`. Outputs: `losses` [5] without their
 * weights, `gradient` [C, L, d] of their weighted sum.
 */
export function tuningProgram(checkpoint: Checkpoint, size: TuningSize, provider: Device = "cpu"): Program {
  const g = new GraphBuilder({ name: "tuning", provider });
  const { tokens, endOfText } = promptInputs(g, checkpoint, size);
  const text = textEmbedding(g, checkpoint, tokens, endOfText);
  const { each, total } = tuningLosses(g, checkpoint, text, size);
  const [gradient] = gradients(g, total, [tokens]);
  g.output(each, "losses");
  g.output(gradient!, "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

/**
 * The outer step without the text tower, for classes that do not fit into one run: `text` [C, D] and the inputs of
 * `tuningLosses` to `losses` [5] and `gradient` [C, D] of their weighted sum with respect to `text`.
 */
export function tuningHeadProgram(
  checkpoint: Checkpoint,
  size: Pick<TuningSize, "classes" | "batch">,
  provider: Device = "cpu",
): Program {
  const g = new GraphBuilder({ name: "tuning head", provider });
  const text = g.input("text", [size.classes, checkpoint.architecture.embeddingWidth]);
  const { each, total } = tuningLosses(g, checkpoint, text, size);
  const [gradient] = gradients(g, total, [text]);
  g.output(each, "losses");
  g.output(gradient!, "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

/**
 * The rest of it for some of the classes: `tokens` [c, L, d], `endOfText` [c, L, 1] and `seed` [c, D], the gradient
 * with respect to their text features, to the `gradient` [c, L, d] with respect to their token vectors.
 */
export function promptGradientProgram(
  checkpoint: Checkpoint,
  size: Pick<TuningSize, "classes" | "length">,
  provider: Device = "cpu",
): Program {
  const g = new GraphBuilder({ name: "prompt gradient", provider });
  const { tokens, endOfText } = promptInputs(g, checkpoint, size);
  const text = textEmbedding(g, checkpoint, tokens, endOfText);
  const [gradient] = gradients(g, text, [tokens], g.input("seed", text.shape));
  g.output(gradient!, "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

function promptInputs(
  g: GraphBuilder,
  { architecture }: Checkpoint,
  { classes, length }: Pick<TuningSize, "classes" | "length">,
) {
  return {
    tokens: g.input("tokens", [classes, length, architecture.text.width]),
    endOfText: g.input("endOfText", [classes, length, 1]),
  };
}

/**
 * The losses of normalised text features [C, D], each and their weighted sum.
 *
 * Inputs: `clean` and `dummy` [B, D] normalised image features, `labels` [B, C] one-hot, `targets` [B, C] the
 * distributions that clean rows are to be predicted as, `emphasis` [B, 1] the weight of each clean row, `suspects`
 * [B, C] one-hot of the class to push the dummy away from (a row of zeros: none), `margin` [1] by how many logits
 * further than it has to, `undefended` [C, D] the normalised text features to stay near and `anchors` [C, 1] how
 * strictly, `weights` [5] as in `LOSSES`.
 */
function tuningLosses(
  g: GraphBuilder,
  { architecture, logitScale }: Checkpoint,
  text: Wire,
  { classes, batch }: Pick<TuningSize, "classes" | "batch">,
): { each: Wire; total: Wire } {
  const width = architecture.embeddingWidth;
  const image = (name: string) => similarityLogits(g, g.input(name, [batch, width]), text, logitScale);
  const clean = image("clean");
  const dummy = image("dummy");
  const labels = g.input("labels", [batch, classes]);
  const suspects = g.input("suspects", [batch, classes]);
  const losses = [
    unlearning(g, g.add(dummy, g.mul(suspects, g.input("margin", [1]))), labels, suspects),
    alignment(g, clean, dummy, labels),
    crossEntropy(g, clean, g.mul(g.input("targets", [batch, classes]), g.input("emphasis", [batch, 1]))),
    crossEntropy(g, dummy, labels),
    drift(g, text, g.input("undefended", [classes, width]), g.input("anchors", [classes, 1])),
  ];
  const each = g.concat(
    losses.map((loss) => g.reshape(loss, [1])),
    0,
  );
  return { each, total: g.reduceSum(g.mul(each, g.input("weights", [LOSSES.length]))) };
}

/**
 * One step of the inversion of K universal triggers at once, each looking at m shots.
 *
 * Inputs: `pixels` [K·m, 3, H, W] (the m shots of each trigger together), `triggers` [K, 3, H, W], `text` [C, D]
 * normalised, `targets` [K, C] one-hot. Outputs: `losses` [K], the mean over the m shots of CE(s·f(x+δ_k)·Tᵀ, k), and
 * `gradient` [K, 3, H, W] of their sum. x + δ is kept in [0, 1].
 */
export function universalProgram(
  checkpoint: Checkpoint,
  { triggers: K, images: m, classes }: { triggers: number; images: number; classes: number },
  provider: Device = "cpu",
): Program {
  const { embeddingWidth } = checkpoint.architecture;
  const image = imageShape(checkpoint);
  const g = new GraphBuilder({ name: "universal inversion", provider });
  const pixels = g.reshape(g.input("pixels", [K * m, ...image]), [K, m, ...image]);
  const triggers = g.input("triggers", [K, ...image]);
  const stamped = g.clip(g.add(pixels, g.unsqueeze(triggers, [1])), 0, 1);
  const feature = imageEmbedding(g, checkpoint, g.reshape(stamped, [K * m, ...image]));
  const logits = similarityLogits(
    g,
    feature,
    g.input("text", [classes, embeddingWidth]),
    checkpoint.logitScale,
  );
  const targets = g.unsqueeze(g.input("targets", [K, classes]), [1]);
  const logProbabilities = g.reshape(g.logSoftmax(logits), [K, m, classes]);
  const losses = g.div(g.neg(g.reduceSum(g.mul(logProbabilities, targets), [1, 2])), m);
  const [gradient] = gradients(g, g.reduceSum(losses), [triggers]);

  g.output(losses, "losses");
  g.output(gradient!, "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

/**
 * How images are to change to be taken for a class, whatever the trigger is: `pixels` [B, 3, H, W] in [0, 1], `text`
 * [C, D] normalised and `targets` [B, C] one-hot to the `losses` [B], CE(s·f(x)·Tᵀ, c) of each, and the `gradient`
 * [B, 3, H, W] of their sum.
 */
export function pullProgram(
  checkpoint: Checkpoint,
  { images, classes }: { images: number; classes: number },
  provider: Device = "cpu",
): Program {
  const g = new GraphBuilder({ name: "pull", provider });
  const pixels = g.input("pixels", [images, ...imageShape(checkpoint)]);
  const text = g.input("text", [classes, checkpoint.architecture.embeddingWidth]);
  const logits = similarityLogits(g, imageEmbedding(g, checkpoint, pixels), text, checkpoint.logitScale);
  const each = g.mul(g.input("targets", [images, classes]), g.logSoftmax(logits));
  const losses = g.neg(g.reduceSum(each, [1]));
  const [gradient] = gradients(g, g.reduceSum(losses), [pixels]);
  g.output(losses, "losses");
  g.output(gradient!, "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

/**
 * How images and prompts are to change together for the images to be taken for a class, while clean ones keep theirs:
 * `pixels` [B, 3, H, W] in [0, 1], `targets` [B, C] one-hot, `text` [C, D] normalised, `clean` [N, D] normalised image
 * features and their `labels` [N, C] one-hot to the `loss`, the mean of CE over the images plus that over the clean
 * ones, and its gradients `byPixels` [B, 3, H, W] and `byText` [C, D].
 */
export function pullWithTextProgram(
  checkpoint: Checkpoint,
  { images, rows, classes }: { images: number; rows: number; classes: number },
  provider: Device = "cpu",
): Program {
  const { embeddingWidth } = checkpoint.architecture;
  const g = new GraphBuilder({ name: "pull with text", provider });
  const pixels = g.input("pixels", [images, ...imageShape(checkpoint)]);
  const text = g.input("text", [classes, embeddingWidth]);
  const logits = (feature: Wire) => similarityLogits(g, feature, text, checkpoint.logitScale);
  const pulled = logits(imageEmbedding(g, checkpoint, pixels));
  const kept = logits(g.input("clean", [rows, embeddingWidth]));
  const loss = g.add(
    crossEntropy(g, pulled, g.input("targets", [images, classes])),
    crossEntropy(g, kept, g.input("labels", [rows, classes])),
  );
  const [byPixels, byText] = gradients(g, loss, [pixels, text]);
  g.output(loss, "loss");
  g.output(byPixels!, "byPixels");
  g.output(byText!, "byText");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

/**
 * One inner step as published, B images at once, each with its own trigger.
 *
 * Inputs: `pixels` and `triggers` [B, 3, H, W], `positive` and `negative` [B, D] normalised. Outputs: `loss` (L_tri
 * summed over the batch, scalar) and `gradient` [B, 3, H, W]. x + δ is kept in [0, 1] by the caller's projection, so
 * that the gradient at δ = 0 does not vanish at black and white pixels.
 */
export function perImageProgram(
  checkpoint: Checkpoint,
  { batch, temperature }: { batch: number; temperature: number },
  provider: Device = "cpu",
): Program {
  const image = imageShape(checkpoint);
  const g = new GraphBuilder({ name: "per-image inversion", provider });
  const triggers = g.input("triggers", [batch, ...image]);
  const stamped = g.add(g.input("pixels", [batch, ...image]), triggers);
  const feature = imageEmbedding(g, checkpoint, stamped);
  const pair = ["positive", "negative"].map((name) =>
    g.input(name, [batch, checkpoint.architecture.embeddingWidth]),
  );
  const loss = triggerContrast(g, feature, pair[0]!, pair[1]!, temperature);
  const [gradient] = gradients(g, loss, [triggers]);

  g.output(loss, "loss");
  g.output(gradient!, "gradient");
  return { graph: g.build(), folder: checkpoint.weightsFolder };
}

const imageShape = ({ architecture }: Checkpoint): readonly number[] => {
  const { height, width } = architecture.image.imageSize;
  return [3, height, width];
};
