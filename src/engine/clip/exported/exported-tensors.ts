import type { Initializer } from "../../onnx/graph.ts";
import type { StoredTensor } from "../stored-tensor.ts";
import type { OpenedExport } from "./open-export.ts";

const STORED_TYPES: Readonly<Record<string, string>> = {
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float64: "F64",
};

/** A constant that lies in a file, as a tensor; undefined for one that is part of the graph, or of whole numbers. */
export function storedTensor(name: string, { type, shape, storage }: Initializer): StoredTensor | undefined {
  const dtype = STORED_TYPES[type];
  if (storage.kind !== "file" || !dtype) return undefined;
  const { file, offset, length } = storage;
  return { name, dtype, shape, parts: [{ file, offset, length, shape }] };
}

/** The weights of an export: the table of token vectors by open_clip's name, the rest by the export's own. */
export function exportedTensors({
  image,
  text,
  tokenVectors,
}: OpenedExport): ReadonlyMap<string, StoredTensor> {
  const tensors = new Map<string, StoredTensor>();
  const graphs = new Set([image.port.graph, text.port.graph]);
  for (const graph of graphs)
    for (const [name, constant] of graph.initializers) {
      const unique = tensors.has(name) ? `${text.file}/${name}` : name;
      const tensor = constant === text.tokens.table ? undefined : storedTensor(unique, constant);
      if (tensor) tensors.set(unique, tensor);
    }
  return tensors.set(tokenVectors.name, tokenVectors);
}
