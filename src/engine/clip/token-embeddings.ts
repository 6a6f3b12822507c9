import { join } from "node:path";
import type { Checkpoint } from "./checkpoint.ts";
import { readFloats } from "./safetensors.ts";

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
  const file = {
    path: join(checkpoint.folder, checkpoint.weightsFile),
    tensors: checkpoint.tensors,
    metadata: {},
  };
  const table = await readFloats(file, `${checkpoint.textPrefix}token_embedding.weight`);
  return { width, vocabulary, row: (id) => table.subarray(id * width, (id + 1) * width) };
}
