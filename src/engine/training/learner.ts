import { BATCH_NORM_EPSILON, type NormalisedConv } from "../clip/resnet.ts";
import { embedImages, embedTexts, type TowerModel } from "../clip/towers.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { sizeOf } from "../onnx/tensor.ts";
import { type Layout, LOGIT_SCALE, spread, weightsOf } from "./layout.ts";

/** The model as it is while it learns: its towers over the weights of this step. */
export interface Learner {
  readonly g: GraphBuilder;
  /** uint8 pixels [N, 3, H, W] to normalised embeddings [N, D]. */
  images(pixels: Wire): Wire;
  /** Token ids [N, L] (int64) and marks of the end of text [N, L, 1] to normalised embeddings [N, D]. */
  texts(tokens: Wire, endOfText: Wire): Wire;
  /** The factor of the cosines. */
  readonly scale: Wire;
}

/** The flat weights as inputs of a graph: `matrices.weights`, `vectors.weights` and, if there are any, `statistics`. */
export interface WeightInputs {
  readonly matrices: Wire;
  readonly vectors: Wire;
  readonly statistics?: Wire;
}

export function weightInputs(g: GraphBuilder, { matrices, vectors, statistics }: Layout): WeightInputs {
  return {
    matrices: g.input("matrices.weights", [matrices.size]),
    vectors: g.input("vectors.weights", [vectors.size]),
    ...(statistics.size > 0 ? { statistics: g.input("statistics", [statistics.size]) } : {}),
  };
}

/**
 * The towers over these weights. Where `seen` is given, batch normalisation goes by the batch, and what it saw is put
 * there under the names of the running statistics, the variance as an unbiased one.
 */
export function learnerOf(
  g: GraphBuilder,
  model: TowerModel,
  layout: Layout,
  inputs: WeightInputs,
  seen?: Map<string, Wire>,
): Learner {
  const running = inputs.statistics
    ? spread(g, layout.statistics, inputs.statistics)
    : new Map<string, Wire>();
  const weights = weightsOf(
    new Map([
      ...spread(g, layout.matrices, inputs.matrices),
      ...spread(g, layout.vectors, inputs.vectors),
      ...running,
    ]),
  );
  const conv = seen && convOfBatch(running, seen);
  return {
    g,
    images: (pixels) => embedImages(g, model, weights, g.div(g.cast(pixels, g.float), 255), { conv }),
    texts: (tokens, endOfText) =>
      embedTexts(g, model, weights, g.gather(weights("token_embedding.weight"), tokens), endOfText),
    scale: g.exp(weights(LOGIT_SCALE)),
  };
}

function convOfBatch(running: ReadonlyMap<string, Wire>, seen: Map<string, Wire>): NormalisedConv {
  const names = new Map([...running].map(([name, wire]) => [wire.name, name]));
  return (g, weight, norm, x, options) => {
    const made = g.conv(x, weight, undefined, options);
    const [y, mean, variance] = g.batchNormalizationOfBatch(
      made,
      norm("weight"),
      norm("bias"),
      BATCH_NORM_EPSILON,
    );
    const count = sizeOf(made.shape) / made.shape[1];
    seen.set(names.get(norm("running_mean").name)!, mean);
    seen.set(names.get(norm("running_var").name)!, g.mul(variance, count / (count - 1)));
    return y;
  };
}
