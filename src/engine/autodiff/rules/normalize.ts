import { floatOf, intOf } from "../../onnx/attributes.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Wire } from "../../onnx/graph.ts";
import { axisOf } from "../../onnx/shapes.ts";
import { sizeOf } from "../../onnx/tensor.ts";
import { type Rule, type RuleContext, unsupported } from "../rule.ts";

export const normalize = {
  // y = s · x̂ + b,  x̂ = r · (x − μ),  r = 1/√(v + ε)
  // x̄ = ȳ · s · r     s̄ = Σ ȳ · x̂     b̄ = Σ ȳ     μ̄ = −s · r · b̄     v̄ = −½ · s · r² · s̄
  BatchNormalization: (context) => {
    const {
      g,
      node,
      in: [x, scale, , mean, variance],
      grad: [dy],
    } = context;
    if (intOf(node, "training_mode", 0) === 1) return throughBatch(context);
    const perChannel = (wire: Wire): Wire => g.reshape(wire, [x.shape[1], ...x.shape.slice(2).map(() => 1)]);
    const axes = axesBesideChannels(x);
    const r = g.div(1, g.sqrt(g.add(variance, floatOf(node, "epsilon", 1e-5))));
    const slope = g.mul(scale, r);
    const centred = g.sub(x, perChannel(mean));
    const dBias = g.reduceSum(dy, axes);
    const dScale = g.mul(g.reduceSum(g.mul(dy, centred), axes), r);
    const dMean = g.neg(g.mul(slope, dBias));
    const dVariance = g.mul(-0.5, g.mul(g.mul(slope, r), dScale));
    return [g.mul(dy, perChannel(slope)), dScale, dBias, dMean, dVariance];
  },

  // y = s · x̂ + b,  x̂ = r · (x − μ),  with μ and r of x itself
  // x̄ = r · (ŷ − mean ŷ − x̂ · mean(ŷ · x̂)),  ŷ = ȳ · s       s̄ = Σ ȳ · x̂     b̄ = Σ ȳ
  LayerNormalization: (context) => {
    const {
      g,
      node,
      in: [x, scale, bias],
      grad: [dy, dMean, dDeviation],
    } = context;
    const axes = [...x.shape.keys()].slice(axisOf(intOf(node, "axis", -1), x.shape.length));
    const [mean, r] = statistics(context, axes);
    const hat = g.mul(g.sub(x, mean), r);
    const average = (wire: Wire): Wire => g.reduceMean(wire, axes, { keepDimensions: true });
    const scaled = g.mul(dy, scale);
    const projected = g.sub(g.sub(scaled, average(scaled)), g.mul(hat, average(g.mul(scaled, hat))));
    const dx = throughStatistics(g, g.mul(r, projected), hat, r, axes, dMean, dDeviation);
    return [dx, g.sumTo(g.mul(dy, hat), scale.shape), bias && g.sumTo(dy, bias.shape)];
  },
} satisfies Record<string, Rule>;

/**
 * Batch normalisation in training mode: μ and v are those of the n elements of x in each channel.
 * x̄ = s · r · (ȳ − b̄ / n − x̂ · s̄ / n) + μ̄ / n + 2 · v̄ · (x − μ) / n      s̄ = Σ ȳ · x̂     b̄ = Σ ȳ
 * In x and ȳ it is linear, x̄ = k₁ · ȳ + k₂ · x + k₀, and so three numbers for a channel are all that is computed.
 */
function throughBatch({ g, node, in: [x, scale], out, grad: [dy, dMean, dVariance] }: RuleContext): Wire[] {
  if (floatOf(node, "momentum", 0.9) !== 0) unsupported(node, "in training mode with a momentum");
  const [, mean, variance] = out;
  const count = sizeOf(x.shape) / x.shape[1];
  const perChannel = (wire: Wire): Wire => g.reshape(wire, [x.shape[1], ...x.shape.slice(2).map(() => 1)]);
  const axes = axesBesideChannels(x);
  const r = g.div(1, g.sqrt(g.add(variance, floatOf(node, "epsilon", 1e-5))));
  const centred = g.sub(x, perChannel(mean));
  const dBias = g.reduceSum(dy, axes);
  const dScale = g.mul(g.reduceSum(g.mul(dy, centred), axes), r);
  const slope = g.mul(scale, r);
  const along = g.div(g.mul(g.mul(slope, r), dScale), -count);
  const byCentred = dVariance ? g.add(along, g.mul(dVariance, 2 / count)) : along;
  const shift = g.div(g.mul(slope, dBias), -count);
  const constant = dMean ? g.add(shift, g.div(dMean, count)) : shift;
  // What x contributes is a normalisation with other numbers, which is one pass over the map.
  const one = g.filled(mean.shape, 1, mean.type);
  const fromX = g.batchNormalization(x, byCentred, constant, mean, one, 0);
  return [g.add(g.mul(dy, perChannel(slope)), fromX), dScale, dBias];
}

function axesBesideChannels(x: Wire): number[] {
  return [...x.shape.keys()].filter((axis) => axis !== 1);
}

/** Mean and inverse deviation: outputs of the node, unless it was made without them. */
function statistics(
  { g, node, in: [x], out: [, mean, r] }: RuleContext,
  axes: readonly number[],
): [Wire, Wire] {
  if (mean && r) return [mean, r];
  const average = g.reduceMean(x, axes, { keepDimensions: true });
  const centred = g.sub(x, average);
  const variance = g.reduceMean(g.mul(centred, centred), axes, { keepDimensions: true });
  return [average, g.div(1, g.sqrt(g.add(variance, floatOf(node, "epsilon", 1e-5))))];
}

/** For second derivatives, which use the statistics: x̄ += μ̄ / n − r̄ · r² · x̂ / n over n normalised elements. */
function throughStatistics(
  g: GraphBuilder,
  dx: Wire,
  hat: Wire,
  r: Wire,
  axes: readonly number[],
  dMean: Wire | undefined,
  dDeviation: Wire | undefined,
): Wire {
  const count = axes.reduce((product, axis) => product * dx.shape[axis], 1);
  const direct = dMean ? g.add(dx, g.div(dMean, count)) : dx;
  if (!dDeviation) return direct;
  return g.sub(direct, g.mul(hat, g.div(g.mul(dDeviation, g.mul(r, r)), count)));
}
