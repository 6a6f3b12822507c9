import { createHash } from "node:crypto";
import { arraysOf, type LearnedTensors } from "../../engine/cbpt/prompt-tensors.ts";
import { encodeSafetensors } from "../../engine/clip/safetensors.ts";
import { canonicalJson } from "../canonical.ts";
import type { Manifest } from "../manifest.ts";
import type { Evidence } from "../prompts.ts";

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
