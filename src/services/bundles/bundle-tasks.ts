/** Tasks for a `WorkerPool`: what takes long about a file of prompts, off the thread that serves. */
import { createHash } from "node:crypto";
import { type CoopPrompts, readCoop } from "../../engine/cbpt/coop.ts";
import type { LearnedTensors } from "../../engine/cbpt/prompt-tensors.ts";
import type { Manifest } from "../manifest.ts";
import { type Bundle, encodeBundle, tensorsDigest } from "./bundle.ts";
import { readBundle } from "./read-bundle.ts";

/** A bundle and the bytes that it is kept as. */
export interface SealedBundle {
  readonly bundle: Bundle;
  readonly bytes: Uint8Array;
}

/** Fails as `readBundle`. What the file has beside the bundle is not kept. */
export function openBundle(file: Uint8Array): SealedBundle {
  const bundle = readBundle(file);
  return { bundle, bytes: encodeBundle(bundle) };
}

/** A checkpoint of CoOp's, and the file's digest. Fails as `readCoop`. */
export async function openCoop(file: Uint8Array): Promise<{ coop: CoopPrompts; digest: string }> {
  const digest = `sha256:${createHash("sha256").update(file).digest("hex")}`;
  return { coop: await readCoop(file, "checkpoint"), digest };
}

/** A manifest with the digest of its tensors, and both as a bundle of which nothing was measured. */
export function sealBundle({
  manifest,
  tensors,
}: {
  readonly manifest: Omit<Manifest, "tensors">;
  readonly tensors: LearnedTensors;
}): SealedBundle {
  const bundle = { manifest: { ...manifest, tensors: tensorsDigest(tensors) }, tensors };
  return { bundle, bytes: encodeBundle(bundle) };
}
