import type { Measurement } from "../engine/evaluation/protocol.ts";
import type { Count } from "../engine/evaluation/rate.ts";
import type { AuditResult } from "../jobs/handlers/audit.ts";
import type { AuditSpec, DefendSpec, EvaluateSpec, ExtendSpec, PurifySpec } from "../jobs/handlers/spec.ts";
import type { GateResult, GateTerms } from "./gates.ts";
import type { ProbeRecord } from "./prompts.ts";

/** What the server adds to a job's spec for its own use when the job is done. */
export interface SearchRequest {
  readonly model: { readonly name: string; readonly weights: string; readonly preprocessing: string };
  readonly shots: number;
  readonly dataset: string;
}

export interface PurifyRequest extends SearchRequest {
  readonly promptSet: string;
  readonly gate: GateTerms;
  readonly by: string;
  /** The version that the last label is added to, where the others are not tuned. */
  readonly addedTo?: { readonly id: string; readonly digest: string };
}

export interface DefendRequest extends SearchRequest {
  /** Of a defence that tunes prompts. */
  readonly promptSet?: string;
}

export interface EvaluateRequest {
  readonly versionId?: string;
  readonly dataset: string;
  /** How many of the images the version was learned from, where that is known. */
  readonly seen?: number;
}

export type AuditJobSpec = AuditSpec & { readonly request: SearchRequest };
export type PurifyJobSpec = PurifySpec & { readonly request: PurifyRequest };
export type ExtendJobSpec = ExtendSpec & { readonly request: PurifyRequest };
export type DefendJobSpec = DefendSpec & { readonly request: DefendRequest };
export type EvaluateJobSpec = EvaluateSpec & { readonly request: EvaluateRequest };

/** What an implant's record shows. */
export interface ImplantOutcome {
  /** Name of the poisoned model. */
  readonly model: string;
  readonly steps: number;
  readonly ca: Count;
  readonly asr: Count;
  /** For a trigger with a word: the attack success of prompts without it. */
  readonly asrWithoutWord?: Count;
  /** Of the further triggers, in their order. */
  readonly otherAsr?: readonly Count[];
  /** Digest of the fitted trigger, for an attack that has one. */
  readonly fitted?: string;
  readonly seconds: number;
}

/** What a defence's record shows: the id of its prompt version, or the name of its model. */
export interface DefendOutcome {
  readonly versionId?: string;
  readonly model?: string;
  readonly audit?: AuditResult;
  readonly seconds: number;
}

/** What a purification's record shows. */
export interface PurifyOutcome {
  readonly versionId: string;
  readonly gate: GateResult;
  readonly audit?: AuditResult;
  readonly probe: ProbeRecord;
  readonly undefendedProbe: ProbeRecord;
  readonly seconds: number;
}

/** As stored under `tenants/<tenant>/evaluations/<id>`; the id is the job's. */
export interface EvaluationRecord extends Measurement {
  readonly id: string;
  readonly labels: readonly string[];
  readonly versionId?: string;
  readonly attack?: { readonly kind: string; readonly target: string };
  /** How many of the images the version was learned from, where that is known. */
  readonly seenByDefence?: Count;
}
