import { encodeModel, withDynamicBatch } from "../onnx/codec.ts";
import type { Graph } from "../onnx/graph.ts";

/** A graph that is ready to be compiled. */
export interface Program {
  readonly graph: Graph;
  /** Where the files lie that file-stored weights refer to. */
  readonly folder: string;
  /** An input whose leading dimension, like that of every output, may be any number. */
  readonly dynamicBatch?: string;
}

/** The program as the bytes of an ONNX model: a skeleton, the file-stored weights stay in their files. */
export function encodeProgram({ graph, dynamicBatch }: Program): Uint8Array {
  return encodeModel(dynamicBatch === undefined ? graph : withDynamicBatch(graph, dynamicBatch));
}
