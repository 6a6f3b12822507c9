import { AppError } from "../../errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readStoredFloats } from "./stored-tensor.ts";

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
  const tensor = checkpoint.tensors.get("token_embedding.weight");
  if (!tensor)
    throw new AppError("INTERNAL", "The checkpoint was opened without its table of token vectors.");
  const table = await readStoredFloats(checkpoint.weightsFolder, tensor);
  return { width, vocabulary, row: (id) => table.subarray(id * width, (id + 1) * width) };
}
