import { AppError } from "../../errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Shape, Wire } from "../onnx/graph.ts";
import { elementType } from "./safetensors.ts";
import type { TensorEntry } from "./safetensors-header.ts";

/** Gives a weight, by its name within a part of the network, as a value of the graph. */
export type Weights = (name: string) => Wire;

/** A tensor that a network reads: its name and shape. */
export type ExpectedTensor = readonly [name: string, shape: Shape];

/** What lies where: a checkpoint, as far as its weights go. */
export interface StoredWeights {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** Within the model's folder. */
  readonly weightsFile: string;
}

/**
 * The checkpoint's weights as constants that stay in its safetensors file. Weights of another floating type are cast
 * to the builder's.
 */
export function checkpointWeights(g: GraphBuilder, stored: StoredWeights): Weights {
  return (name) => {
    const entry = stored.tensors.get(name);
    const type = entry && elementType(entry);
    if (!entry || !type)
      throw new AppError("INTERNAL", `The checkpoint was opened without tensor "${name}".`);
    const { offset, length } = entry;
    const storage = { kind: "file", file: stored.weightsFile, offset, length } as const;
    return g.cast(g.initializer(name, type, entry.shape, storage), g.float);
  };
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
