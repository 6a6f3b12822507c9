import { AppError } from "../../../errors.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Wire } from "../../onnx/graph.ts";
import { sizeOf, tensorOf } from "../../onnx/tensor.ts";
import { translateAt } from "../../onnx/translate/fixed-sizes.ts";
import type { ExportedTowers } from "../exported-towers.ts";
import type { Port } from "./ports.ts";
import { findPooling, producerOf, type TokenTable } from "./token-table.ts";

/** One tower of an export: its port, and the file that it is in. */
export interface TowerPort {
  readonly port: Port;
  readonly file: string;
}

export interface ExportedParts {
  readonly image: TowerPort;
  readonly text: TowerPort & { readonly tokens: TokenTable };
  /** Gives the token id at the pooled position. */
  readonly endToken: () => number;
}

/**
 * The towers of an export. Each call brings the export's graph into the builder at the shapes of what is given: that
 * takes milliseconds, and reads no weight.
 */
export function exportedTowers({ image, text, endToken }: ExportedParts): ExportedTowers {
  return {
    image: (g, images) => matrix(imageFeatures(g, image, images), images.shape[0], image),
    text: (g, tokens, endOfText) =>
      matrix(textFeatures(g, text, tokens, endOfText, endToken()), tokens.shape[0], text),
  };
}

function imageFeatures(g: GraphBuilder, { port, file }: TowerPort, images: Wire): Wire {
  const channelsLast = port.input.shape[3] === 3 && port.input.shape[1] !== 3;
  const pixels = channelsLast ? g.transpose(images, [0, 2, 3, 1]) : images;
  return translateAt(g, port.graph, {
    prefix: `${file}/`,
    output: port.output,
    bindings: { [port.input.name]: pixels },
    declared: port.input,
    batch: images.shape[0],
  });
}

function textFeatures(
  g: GraphBuilder,
  { port, tokens: table, file }: TowerPort & { readonly tokens: TokenTable },
  tokens: Wire,
  endOfText: Wire,
  endToken: number,
): Wire {
  const [count, length, width] = tokens.shape;
  const ids = g.cast(g.mul(g.reshape(endOfText, [count, length]), endToken), port.input.type);
  const bindings = { ...besides(g, port, [count, length]), [port.input.name]: ids };
  const at = { prefix: `${file}/`, declared: port.input, batch: count, length };
  const lookup = producerOf(port.graph, table.vectors);
  const indices = translateAt(g, port.graph, { ...at, bindings, output: lookup.inputs[1] });
  if (sizeOf(indices.shape) !== count * length)
    throw new AppError("INVALID_CHECKPOINT", `${file} looks up other tokens than the prompts'.`, { file });
  const vectors = { ...bindings, [table.vectors]: g.reshape(tokens, [...indices.shape, width]) };
  const pooling = findPooling(port, table.vectors);
  const states = pooling && translateAt(g, port.graph, { ...at, bindings: vectors, output: pooling.states });
  if (!pooling || states?.shape.join() !== [count, length, states?.shape[2]].join())
    return translateAt(g, port.graph, { ...at, bindings: vectors, output: port.output });
  const pooled = { [pooling.pooled]: g.reduceSum(g.mul(states, endOfText), [1]) };
  return translateAt(g, port.graph, { ...at, bindings, pooled, output: port.output });
}

/** Everything else that a text tower may take: all positions are seen, counted from 0, and of one kind. */
function besides(
  g: GraphBuilder,
  { graph, input }: Port,
  [count, length]: readonly number[],
): Record<string, Wire> {
  const others = graph.inputs.filter(({ name }) => name !== input.name && /mask|position|type/i.test(name));
  const filled = others.map(({ name, type, shape }): [string, Wire] => {
    const size = shape.length === 2 ? [shape[0] === 1 ? 1 : count, length] : [length];
    const value = (index: number) => (/mask/i.test(name) ? 1 : /position/i.test(name) ? index % length : 0);
    const known = type.includes("float") ? g.float : type;
    return [
      name,
      g.constant(
        tensorOf(
          known,
          size,
          Array.from({ length: sizeOf(size) }, (_, index) => value(index)),
        ),
      ),
    ];
  });
  return Object.fromEntries(filled);
}

/** Features as [N, D]; an export of one image or text at a time may have left N out. */
function matrix(features: Wire, count: number, { file, port }: TowerPort): Wire {
  if (features.shape.length === 2 && features.shape[0] === count) return features;
  throw new AppError(
    "INVALID_CHECKPOINT",
    `${file}: "${port.output}" has shape [${features.shape}] for a batch of ${count}; one row of features for each was expected.`,
    { file, output: port.output },
  );
}
