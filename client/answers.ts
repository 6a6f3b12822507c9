/** What the documents of the client ask for, of all that the schema has. */
import type * as schema from "./schema.ts";

export type Version = Pick<schema.PromptVersion, "id" | "number" | "digest" | "labels" | "createdAt">;

export type Prediction = Pick<
  schema.Prediction,
  | "__typename"
  | "index"
  | "labels"
  | "margin"
  | "shadow"
  | "disagreement"
  | "suspicion"
  | "recovered"
  | "view"
  | "cached"
>;

export type ImageRejected = Pick<schema.ImageRejected, "__typename" | "index" | "code" | "message">;

export interface Classification {
  /** One for each image, in their order; a bad image does not keep the others from being answered. */
  readonly results: readonly (Prediction | ImageRejected)[];
  /** The version that answered; null when undefended templates did. */
  readonly served: Version | null;
  readonly model: Pick<schema.Model, "id" | "name">;
  readonly timing: Pick<schema.Timing, "queueMs" | "preprocessMs" | "inferMs" | "batchSize">;
}

export type Dataset = Pick<schema.Dataset, "id" | "name" | "labels" | "size" | "digest" | "createdAt">;

export interface DatasetAnswer {
  readonly dataset: Dataset;
  /** Examples that were left out, and why. */
  readonly rejected: readonly schema.RejectedExample[];
}

export type Model = Pick<schema.Model, "id" | "name" | "arch" | "format" | "trust" | "warnings">;

export interface Alias {
  readonly name: string;
  readonly version: Version;
}

export type ClassAudit = Pick<schema.ClassAudit, "label" | "pulled" | "family" | "word">;

export interface Audit extends Pick<schema.Audit, "verdict" | "seconds"> {
  /** The labels that stand out. */
  readonly suspects: readonly ClassAudit[];
  /** Every label, the most attractive first. */
  readonly classes: readonly ClassAudit[];
}

export type Evaluation = Pick<
  schema.Evaluation,
  | "id"
  | "attack"
  | "target"
  | "ca"
  | "asr"
  | "asrIncludingTarget"
  | "robustAccuracy"
  | "targetRecall"
  | "cleanFloor"
  | "seenByDefence"
  | "perClass"
  | "protocol"
>;

export interface Purification {
  readonly version: Version;
  /** What the universal mode found first. */
  readonly audit: Audit | null;
  readonly gate: schema.GateOutcome | null;
}

/** What a defence has made: a version for the model as it is, or a new model. */
export type Defended =
  | (Version & Pick<schema.PromptVersion, "__typename">)
  | (Model & Pick<schema.Model, "__typename">);

/** A job as it is now. */
export interface JobState
  extends Pick<
    schema.PurificationJob,
    "id" | "status" | "progress" | "etaSeconds" | "queuePosition" | "createdAt" | "finishedAt" | "failure"
  > {
  readonly __typename: schema.Job["__typename"];
  readonly version?: Version | null;
  readonly audit?: Audit | null;
  readonly gate?: schema.GateOutcome | null;
  readonly evaluation?: Evaluation | null;
  readonly defended?: Defended | null;
  readonly implanted?: Model | null;
}
