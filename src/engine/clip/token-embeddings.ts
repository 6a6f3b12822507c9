import { AppError } from "../../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readStoredFloats, readStoredRows, type StoredTensor } from "./stored-tensor.ts";

/** The text tower's table of token vectors. */
export interface TokenEmbeddings {
  /** d */
  readonly width: number;
  /** How many ids have a row. */
  readonly vocabulary: number;
  /** A view [d] of the table: copy it before changing it. */
  row(id: number): Float32Array;
}

/** Reads the table into memory: vocabulary × d floats. */
export async function tokenEmbeddings(checkpoint: Checkpoint): Promise<TokenEmbeddings> {
  const { vocabulary, width } = checkpoint.architecture.text;
  const table = await readStoredFloats(checkpoint.weightsFolder, tableOf(checkpoint));
  return { width, vocabulary, row: (id) => table.subarray(id * width, (id + 1) * width) };
}

/** The same with only some ids' rows in memory; asking for another one is a mistake of the caller's. */
export async function tokenRows(checkpoint: Checkpoint, ids: readonly number[]): Promise<TokenEmbeddings> {
  const { vocabulary, width } = checkpoint.architecture.text;
  const rows = await readStoredRows(checkpoint.weightsFolder, tableOf(checkpoint), ids);
  const places = new Map(ids.map((id, place) => [id, place]));
  return {
    width,
    vocabulary,
    row: (id) => {
      const place = places.get(id);
      if (place === undefined) throw new AppError("INTERNAL", `The vector of token ${id} was not read.`);
      return rows.subarray(place * width, (place + 1) * width);
    },
  };
}

function tableOf({ tensors }: Checkpoint): StoredTensor {
  const tensor = tensors.get("token_embedding.weight");
  if (tensor) return tensor;
  throw new AppError("INTERNAL", "The checkpoint was opened without its table of token vectors.");
}
