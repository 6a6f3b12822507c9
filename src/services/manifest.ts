import type { CbptConfig, Position } from "../engine/cbpt/config.ts";

/** Where a version's prompts come from. */
export type PromptSource =
  | TunedSource
  /** A class was added to another version, whose digest is `base`; its other classes are as they were. */
  | (Omit<TunedSource, "kind"> & {
      readonly kind: "extension";
      readonly base: string;
      readonly label: string;
    })
  /** Another defence that tunes prompts; `config` is what its parameters come to. */
  | (Omit<TunedSource, "kind" | "targets"> & {
      readonly kind: "defence";
      readonly defence: string;
      readonly parameters: Readonly<Record<string, number | string>>;
    })
  /** A checkpoint of CoOp's, by its digest. */
  | { readonly kind: "coop"; readonly file: string };

/** Class-wise backdoor prompt tuning. */
export interface TunedSource {
  readonly kind: "cbpt";
  readonly config: CbptConfig;
  readonly shots: number;
  /** The digest of the dataset's examples at the time. */
  readonly dataset: string;
  /** The labels that triggers were searched for, where not for all. */
  readonly targets?: readonly string[];
}

/**
 * What makes a version what it is; its digest names the version. Nothing in it depends on when, where or for whom it was
 * made, so a version that is exported and imported again is the same.
 */
export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT | "antidote-prompts-1";
  /** The name is what it was called where the version was made; the digests are what has to fit. */
  readonly model: { readonly name: string; readonly weights: string; readonly preprocessing: string };
  /** Of the token ids that the labels become. Absent in format 1. */
  readonly tokenizer?: string;
  /** Most tokens that the model reads. Absent in format 1. */
  readonly contextLength?: number;
  readonly labels: readonly string[];
  readonly contextTokens: number;
  readonly position: Position;
  /** The undefended prompts that it is compared with. */
  readonly templates: readonly string[];
  readonly source: PromptSource;
  /** Of the learned tensors alone, as `arraysOf` has them. In format 1, of a file with them. */
  readonly tensors: string;
}

export const MANIFEST_FORMAT = "antidote-prompts-2";
