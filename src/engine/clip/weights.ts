import { AppError } from "../../errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Shape, Wire } from "../onnx/graph.ts";
import { type StoredTensor, weightType } from "./stored-tensor.ts";

/** Gives a weight, by its name within a part of the network, as a value of the graph. */
export type Weights = (name: string) => Wire;

/** A tensor that a network reads: its name and shape. */
export type ExpectedTensor = readonly [name: string, shape: Shape];

/** A checkpoint, as far as its weights go. */
export interface StoredWeights {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** The values that stand for tensors, by graph: asking twice gives one value. */
const given = new WeakMap<GraphBuilder, Map<StoredTensor, Wire>>();

/**
 * The checkpoint's weights as constants that stay in their files. Parts are joined, turned and cast to the builder's
 * type in the graph; the runtime does so once, when it compiles.
 */
export function checkpointWeights(g: GraphBuilder, { tensors }: StoredWeights): Weights {
  const wires = given.get(g) ?? new Map<StoredTensor, Wire>();
  given.set(g, wires);
  return (name) => {
    const tensor = tensors.get(name);
    if (!tensor) throw new AppError("INTERNAL", `The checkpoint was opened without tensor "${name}".`);
    const wire = wires.get(tensor) ?? weight(g, tensor);
    wires.set(tensor, wire);
    return wire;
  };
}

function weight(g: GraphBuilder, { name, dtype, parts, transposed }: StoredTensor): Wire {
  const type = weightType(dtype);
  if (!type) throw new AppError("INTERNAL", `Tensor "${name}" was opened as ${dtype}.`);
  const wires = parts.map(({ shape, ...place }, index) => {
    const part = parts.length === 1 ? name : `${name}:part${index}`;
    return g.initializer(part, type, shape, { kind: "file", ...place });
  });
  const joined = g.cast(g.concat(wires, 0), g.float);
  return transposed ? g.transpose(joined) : joined;
}

/** The weights of a part: `within(weights, "visual")("proj")` is `visual.proj`. */
export function within(weights: Weights, part: string): Weights {
  return (name) => weights(`${part}.${name}`);
}

/** The same tensors, named from outside the part. */
export function named(part: string, tensors: readonly ExpectedTensor[]): ExpectedTensor[] {
  return tensors.map(([name, shape]) => [`${part}.${name}`, shape]);
}

/** Weight [n] and bias [n] of a normalisation. */
export function normTensors(width: number): ExpectedTensor[] {
  return [
    ["weight", [width]],
    ["bias", [width]],
  ];
}

/** Weight [outputs, inputs] and bias [outputs] of a linear map. */
export function linearTensors(inputs: number, outputs: number): ExpectedTensor[] {
  return [
    ["weight", [outputs, inputs]],
    ["bias", [outputs]],
  ];
}
