import { gradients } from "../autodiff/gradients.ts";
import type { ImageSize } from "../clip/architecture.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import { sizeOf } from "../onnx/tensor.ts";
import type { Device } from "../runtime/device.ts";
import type { Program } from "../runtime/program.ts";
import { type AdamW, adamWStep, clipFactor } from "../training/adamw.ts";
import { type Group, spread } from "../training/layout.ts";
import {
  BLOCK,
  BLOCK_VALUES,
  decoderLayers,
  encoderLayers,
  type Layer,
  LEAST_POWER,
} from "./steganography.ts";

/** The weights of encoder and decoder, one after the other. */
export function networkLayout(bits: number): Group {
  const tensors = [...encoderLayers(bits), ...decoderLayers(bits)].flatMap(({ name, inputs, outputs }) => [
    { name: `${name}.weight`, shape: [outputs, inputs, 3, 3] },
    { name: `${name}.bias`, shape: [outputs] },
  ]);
  let size = 0;
  const places = tensors.map(({ name, shape }) => {
    const place = { name, shape, offset: size, size: sizeOf(shape) };
    size += place.size;
    return place;
  });
  return { places, size };
}

export interface NetworkStep {
  /** Even. */
  readonly batch: number;
  readonly bits: number;
  /** Weight of the loss that keeps apart the residuals of different images with the same bits. */
  readonly specificity: number;
  readonly imageSize: ImageSize;
  readonly optimiser: AdamW;
}

/**
 * One step of training both networks: `pixels` uint8 [B, 3, H, W] whose sides are multiples of 4, `signs` [B, bits, 1, 1]
 * of −1 and 1, `loudness`, the root mean square of every residual, and `weights`, `first`, `second` [size], `stepSize`
 * and `epsilon` as in AdamW, to `weights.next` and so on, and scalars: `bits`, the mean cross-entropy of the bits that are
 * read, `accuracy`, the share of them that are read rightly, and `likeness`, the mean square of the cosines between the
 * residuals of the first half of the batch and those of the second, which is to carry the same bits. The loss is
 * bits + specificity · likeness.
 */
export function networkProgram(
  { batch, bits, specificity, imageSize, optimiser }: NetworkStep,
  provider: Device = "cpu",
): Program {
  const g = new GraphBuilder({ name: "steganography", provider });
  const layout = networkLayout(bits);
  const [weights, first, second] = ["weights", "first", "second"].map((name) => g.input(name, [layout.size]));
  const tensors = spread(g, layout, weights!);
  const { height, width } = imageSize;
  const bytes = g.input("pixels", [batch, 3, height, width], "uint8");
  const pixels = g.div(g.cast(bytes, g.float), 255);
  const signs = g.input("signs", [batch, bits, 1, 1]);
  const planes = g.expand(signs, [batch, bits, height / BLOCK, width / BLOCK]);
  const blocks = g.concat([toBlocks(g, pixels), planes], 1);
  const shape = scaled(g, fromBlocks(g, network(g, blocks, encoderLayers(bits), tensors), imageSize));
  const residual = g.mul(shape, g.input("loudness", []));
  const stamped = g.clip(g.add(pixels, residual), 0, 1);
  const read = g.reduceMean(network(g, toBlocks(g, stamped), decoderLayers(bits), tensors), [2, 3], {
    keepDimensions: true,
  });
  const entropy = signedCrossEntropy(g, read, signs);
  const likeness = likenessOfHalves(g, shape);
  const [slope] = gradients(g, g.add(entropy, g.mul(likeness, specificity)), [weights!]);
  const moments = { weights: weights!, first: first!, second: second! };
  const [stepSize, epsilon] = ["stepSize", "epsilon"].map((name) => g.input(name, []));
  const clip = clipFactor(g, [slope!], optimiser.clipNorm);
  const next = adamWStep(g, moments, slope!, optimiser, { clip, stepSize: stepSize!, epsilon: epsilon! });
  for (const [name, wire] of Object.entries(next)) g.output(wire, `${name}.next`);
  g.output(entropy, "bits");
  g.output(likeness, "likeness");
  g.output(g.reduceMean(g.cast(g.greater(g.mul(read, signs), 0), g.float)), "accuracy");
  return { graph: g.build(), folder: "." };
}

/** Every image [B, 3, H, W] to a mean square of 1. */
function scaled(g: GraphBuilder, x: Wire): Wire {
  const power = g.reduceMean(g.mul(x, x), [1, 2, 3], { keepDimensions: true });
  return g.div(x, g.sqrt(g.add(power, LEAST_POWER)));
}

/** Mean squared cosine of rows of mean square 1 in the first half of a batch with their partners in the second. */
function likenessOfHalves(g: GraphBuilder, x: Wire): Wire {
  const half = x.shape[0]! / 2;
  const [first, second] = g.split(x, [half, half], 0);
  const cosines = g.reduceMean(g.mul(first!, second!), [1, 2, 3]);
  return g.reduceMean(g.mul(cosines, cosines));
}

/** −mean log σ(sign · logit) = mean log(1 + e^(−sign · logit)), which does not overflow. */
function signedCrossEntropy(g: GraphBuilder, logits: Wire, signs: Wire): Wire {
  const margin = g.mul(logits, signs);
  return g.reduceMean(g.add(g.relu(g.neg(margin)), g.log(g.add(1, g.exp(g.neg(g.abs(margin)))))));
}

function network(
  g: GraphBuilder,
  x: Wire,
  layers: readonly Layer[],
  tensors: ReadonlyMap<string, Wire>,
): Wire {
  return layers.reduce((values, { name }, index) => {
    const [weight, bias] = ["weight", "bias"].map((part) => tensors.get(`${name}.${part}`)!);
    const made = g.conv(values, weight!, bias!, { pads: [1, 1, 1, 1] });
    return index < layers.length - 1 ? g.relu(made) : made;
  }, x);
}

/** [B, 3, H, W] to [B, 48, H/4, W/4], centred at 0. */
function toBlocks(g: GraphBuilder, x: Wire): Wire {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const cut = g.reshape(g.sub(x, 0.5), [batch, channels, height / BLOCK, BLOCK, width / BLOCK, BLOCK]);
  const moved = g.transpose(cut, [0, 1, 3, 5, 2, 4]);
  return g.reshape(moved, [batch, BLOCK_VALUES, height / BLOCK, width / BLOCK]);
}

function fromBlocks(g: GraphBuilder, x: Wire, { height, width }: ImageSize): Wire {
  const batch = x.shape[0]!;
  const cut = g.reshape(x, [batch, 3, BLOCK, BLOCK, height / BLOCK, width / BLOCK]);
  return g.reshape(g.transpose(cut, [0, 1, 4, 2, 5, 3]), [batch, 3, height, width]);
}
