import { encodeModel, withDynamicBatch } from "../onnx/codec.ts";
import type { Graph } from "../onnx/graph.ts";
import { type PackedWeights, packed } from "./private-weights.ts";

/** A graph that is ready to be compiled. */
export interface Program {
  readonly graph: Graph;
  /** Where the files lie that file-stored weights refer to. */
  readonly folder: string;
  /** An input whose leading dimension, like that of every output, may be any number. */
  readonly dynamicBatch?: string;
}

/** A program as the bytes of an ONNX model: a skeleton, the weights lie elsewhere. */
export interface EncodedProgram {
  readonly name: string;
  readonly model: Uint8Array;
  /** Where the weights' files are. */
  readonly folder: string;
  /** Of a program whose weights are to be read into memory. */
  readonly packed?: PackedWeights;
}

/** @param inMemory whether the weights are to be read into memory, where they fit into one block. */
export function encodeProgram(program: Program, { inMemory = false } = {}): EncodedProgram {
  const { graph, folder, dynamicBatch } = program;
  const encode = (one: Graph) =>
    encodeModel(dynamicBatch === undefined ? one : withDynamicBatch(one, dynamicBatch));
  const moved = inMemory ? packed(graph) : undefined;
  if (!moved) return { name: graph.name, model: encode(graph), folder };
  const { ranges, bytes } = moved;
  return { name: graph.name, model: encode(moved.graph), folder, packed: { ranges, bytes } };
}
