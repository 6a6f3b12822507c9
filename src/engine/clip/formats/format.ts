import type { Checkpoint } from "../checkpoint.ts";
import type { CheckpointFolder } from "../checkpoint-folder.ts";

/** What a format reads from a folder; the rest of a checkpoint follows from the folder. */
export interface CheckpointContent
  extends Pick<
    Checkpoint,
    | "architecture"
    | "tensors"
    | "exported"
    | "unusedTensors"
    | "assumptions"
    | "preprocessing"
    | "tokenizer"
    | "logitScale"
  > {
  /** The files in the checkpoint's folder that hold its weights: what its digest covers. */
  readonly weightFiles: readonly string[];
}

/** A layout of checkpoints. */
export interface CheckpointFormat {
  readonly name: string;
  /** The files that make it up, in words for an error. */
  readonly layout: string;
  /** Whether files of these names make up such a checkpoint. */
  recognises(files: readonly string[]): boolean;
  /** Of a recognised listing, the files that `read` would open: what a download has to fetch. */
  wanted(files: readonly string[]): readonly string[];
  /** Throws INVALID_CHECKPOINT or UNSUPPORTED_ARCHITECTURE. */
  read(folder: CheckpointFolder): Promise<CheckpointContent>;
}
