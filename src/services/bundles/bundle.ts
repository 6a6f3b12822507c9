import { createHash } from "node:crypto";
import { encodeSafetensors } from "../../engine/clip/safetensors.ts";
import { canonicalJson } from "../canonical.ts";
import type { Manifest } from "../manifest.ts";
import type { Evidence } from "../prompts.ts";

/** What tuning learns: context vectors [C, M, d] and the text features [C, D] that follow from them. */
export interface LearnedTensors {
  readonly classes: number;
  readonly contextTokens: number;
  readonly contexts: Float32Array;
  readonly features: Float32Array;
}

/** A version as one file: what it is, what it learned, and what was measured of it. */
export interface Bundle {
  readonly manifest: Manifest;
  readonly tensors: LearnedTensors;
  readonly evidence?: Evidence;
}

/** `sha256:<hex>` of the tensors as safetensors without any metadata. */
export function tensorsDigest(tensors: LearnedTensors): string {
  return `sha256:${createHash("sha256")
    .update(encodeSafetensors(arraysOf(tensors)))
    .digest("hex")}`;
}

/** The bundle as safetensors, manifest and evidence as JSON among its metadata. The same bundle gives the same bytes. */
export function encodeBundle({ manifest, tensors, evidence }: Bundle): Uint8Array {
  return encodeSafetensors(arraysOf(tensors), {
    manifest: canonicalJson(manifest),
    ...(evidence ? { evidence: canonicalJson(evidence) } : {}),
  });
}

const arraysOf = ({ classes, contextTokens, contexts, features }: LearnedTensors) => [
  {
    name: "contexts",
    shape: [classes, contextTokens, contexts.length / classes / contextTokens],
    data: contexts,
  },
  { name: "text_features", shape: [classes, features.length / classes], data: features },
];
