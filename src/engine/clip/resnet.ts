import type { ConvOptions, GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { ResNetTower } from "./architecture.ts";
import { attention, linear } from "./layers.ts";
import { type ExpectedTensor, linearTensors, named, normTensors, type Weights, within } from "./weights.ts";

/** A bottleneck block gives four times as many channels as its 3×3 convolution has. */
const EXPANSION = 4;

export const BATCH_NORM_EPSILON = 1e-5;

/** A bottleneck block: `channels` in, `4 · width` out, the map made smaller by `stride`. */
interface Block {
  readonly name: string;
  readonly channels: number;
  readonly width: number;
  readonly stride: number;
}

/** norm(conv x) without a bias, the weights of the batch normalisation being given by name. */
export type NormalisedConv = (
  g: GraphBuilder,
  weight: Wire,
  norm: Weights,
  x: Wire,
  options?: ConvOptions,
) => Wire;

/** Is shown the map [N, C, h, w] that each of the four stages gives, from 1, and says what goes on in its place. */
export type Tap = (stage: number, map: Wire) => Wire;

export interface ResNetOptions {
  /** Batch normalisation uses its running statistics, unless another is given, as for training. */
  readonly conv?: NormalisedConv;
  readonly tap?: Tap;
}

/** Images [N, 3, H, W], normalised by mean and deviation, to features [N, D]. */
export function resNet(
  g: GraphBuilder,
  tower: ResNetTower,
  weights: Weights,
  images: Wire,
  { conv = foldedConv, tap = (_stage, map) => map }: ResNetOptions = {},
): Wire {
  const network: Network = { g, conv };
  const map = stagesOf(tower).reduce(
    (x, blocks, index) => {
      const next = (map: Wire, block: Block) => bottleneck(network, block, within(weights, block.name), map);
      return tap(index + 1, blocks.reduce(next, x));
    },
    stem(network, weights, images),
  );
  return attentionPool(g, tower.heads, within(weights, "attnpool"), map);
}

interface Network {
  readonly g: GraphBuilder;
  readonly conv: NormalisedConv;
}

/** Three 3×3 convolutions in place of one 7×7, then a mean in place of a maximum. */
function stem(network: Network, weights: Weights, images: Wire): Wire {
  const first = convolution(network, weights, 1, images, 1, [2, 2]);
  const second = convolution(network, weights, 2, first, 1);
  return averagePool(network.g, convolution(network, weights, 3, second, 1), 2);
}

// y = relu(bn3(conv3(pool(relu(bn2(conv2(relu(bn1(conv1 x)))))))) + shortcut x)
// The stride is a mean over stride × stride pixels instead of skipping: it does not alias.
function bottleneck(network: Network, block: Block, weights: Weights, x: Wire): Wire {
  const { g, conv } = network;
  const narrow = convolution(network, weights, 2, convolution(network, weights, 1, x, 0), 1);
  const pooled = averagePool(g, narrow, block.stride);
  const wide = conv(g, weights("conv3.weight"), within(weights, "bn3"), pooled);
  return g.relu(g.add(wide, shortcut(network, block, weights, x)));
}

function shortcut({ g, conv }: Network, block: Block, weights: Weights, x: Wire): Wire {
  if (!changesShape(block)) return x;
  const pooled = averagePool(g, x, block.stride);
  return conv(g, weights("downsample.0.weight"), within(weights, "downsample.1"), pooled);
}

/** relu(bn(conv x)) of the numbered pair. */
function convolution(
  { g, conv }: Network,
  weights: Weights,
  number: number,
  x: Wire,
  padding: number,
  strides = [1, 1],
): Wire {
  const pads = [padding, padding, padding, padding];
  const norm = within(weights, `bn${number}`);
  return g.relu(conv(g, weights(`conv${number}.weight`), norm, x, { pads, strides }));
}

// bn(conv x) with running statistics is one convolution: s = γ/√(σ² + ε), weight w·s, bias β − μ·s.
// The constants are folded when the program is compiled, and the way back has nothing to normalise.
const foldedConv: NormalisedConv = (g, weight, norm, x, options) => {
  const scale = g.div(norm("weight"), g.sqrt(g.add(norm("running_var"), BATCH_NORM_EPSILON)));
  const bias = g.sub(norm("bias"), g.mul(norm("running_mean"), scale));
  return g.conv(x, g.mul(weight, g.reshape(scale, [-1, 1, 1, 1])), bias, options);
};

function averagePool(g: GraphBuilder, x: Wire, size: number): Wire {
  return size === 1 ? x : g.averagePool(x, { kernel: [size, size] });
}

/** Attention over the positions of the map, asked by their mean: [N, C, h, w] to [N, D]. The positions come first. */
function attentionPool(g: GraphBuilder, heads: number, weights: Weights, map: Wire): Wire {
  const [, channels, height, width] = map.shape;
  const pixels = g.transpose(g.reshape(map, [0, channels, height * width]), [2, 0, 1]);
  const mean = g.reduceMean(pixels, [0], { keepDimensions: true });
  const positions = g.unsqueeze(weights("positional_embedding"), [1]);
  const states = g.add(g.concat([mean, pixels], 0), positions);
  const project = (name: string, x: Wire) => linear(g, x, weights(`${name}.weight`), weights(`${name}.bias`));
  const query = project("q_proj", g.slice(states, [0], [1]));
  const attended = attention(g, heads, query, project("k_proj", states), project("v_proj", states));
  return project("c_proj", g.reshape(attended, [-1, channels]));
}

function stagesOf({ layers, width }: ResNetTower): Block[][] {
  let channels = width;
  return layers.map((count, stage) => {
    const stageWidth = width * 2 ** stage;
    return Array.from({ length: count }, (_, index): Block => {
      const block = {
        name: `layer${stage + 1}.${index}`,
        channels,
        width: stageWidth,
        stride: stage > 0 && index === 0 ? 2 : 1,
      };
      channels = stageWidth * EXPANSION;
      return block;
    });
  });
}

function changesShape({ channels, width, stride }: Block): boolean {
  return stride > 1 || channels !== width * EXPANSION;
}

export function resNetTensors(tower: ResNetTower, embeddingWidth: number): ExpectedTensor[] {
  const { width, grid } = tower;
  const channels = width * 8 * EXPANSION;
  return [
    ...convolutionTensors(1, 3, width / 2, 3),
    ...convolutionTensors(2, width / 2, width / 2, 3),
    ...convolutionTensors(3, width / 2, width, 3),
    ...stagesOf(tower)
      .flat()
      .flatMap((block) => named(block.name, blockTensors(block))),
    ["attnpool.positional_embedding", [grid * grid + 1, channels]],
    ...["q_proj", "k_proj", "v_proj"].flatMap((name) =>
      named(`attnpool.${name}`, linearTensors(channels, channels)),
    ),
    ...named("attnpool.c_proj", linearTensors(channels, embeddingWidth)),
  ];
}

function blockTensors(block: Block): ExpectedTensor[] {
  const { channels, width } = block;
  const wide = width * EXPANSION;
  const projection: ExpectedTensor[] = [
    ["downsample.0.weight", [wide, channels, 1, 1]],
    ...named("downsample.1", batchNormTensors(wide)),
  ];
  return [
    ...convolutionTensors(1, channels, width, 1),
    ...convolutionTensors(2, width, width, 3),
    ...convolutionTensors(3, width, wide, 1),
    ...(changesShape(block) ? projection : []),
  ];
}

function convolutionTensors(
  number: number,
  channels: number,
  outputs: number,
  kernel: number,
): ExpectedTensor[] {
  return [
    [`conv${number}.weight`, [outputs, channels, kernel, kernel]],
    ...named(`bn${number}`, batchNormTensors(outputs)),
  ];
}

function batchNormTensors(width: number): ExpectedTensor[] {
  return [...normTensors(width), ["running_mean", [width]], ["running_var", [width]]];
}
