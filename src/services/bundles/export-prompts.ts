import { encodeCoop } from "../../engine/cbpt/coop.ts";
import { readFloats, readSafetensors } from "../../engine/clip/safetensors.ts";
import type { BlobStore } from "../../store/store.ts";
import type { VersionRecord } from "../prompts.ts";

/** The form of a version's file. */
export type ExportFormat = "SAFETENSORS" | "COOP";

/** A version as a file: the bundle as it is stored, or a checkpoint of CoOp's. */
export async function exportPrompts(
  blobs: BlobStore,
  { artifact, manifest }: VersionRecord,
  format: ExportFormat,
): Promise<Uint8Array> {
  if (format === "SAFETENSORS") return blobs.get(artifact.digest);
  const contexts = await readFloats(await readSafetensors(await blobs.file(artifact.digest)), "contexts");
  return encodeCoop({ ...manifest, contexts });
}
