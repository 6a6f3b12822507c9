import type { Manifest, TunedSource } from "./manifest.ts";
import type { VersionRecord } from "./prompts.ts";

/** Format 1: bound to a prompt set, and always tuned. */
type FirstManifest = Omit<TunedSource, "kind"> &
  Pick<Manifest, "model" | "labels" | "templates" | "tensors"> & {
    readonly format: "antidote-prompts-1";
    readonly promptSet: string;
  };

/** A version as any version of this program has stored it. */
export type StoredVersion = VersionRecord | FirstVersion;
type FirstVersion = Omit<VersionRecord, "manifest" | "promptSet"> & { readonly manifest: FirstManifest };

/** The record as it is written today; its digest stays that of the manifest it was made with. */
export function modern(stored: StoredVersion): VersionRecord {
  if (!isFirst(stored)) return stored;
  const { promptSet, config, shots, dataset, targets, ...manifest } = stored.manifest;
  const { contextTokens, position } = config;
  const source: TunedSource = { kind: "cbpt", config, shots, dataset, ...(targets ? { targets } : {}) };
  return { ...stored, promptSet, manifest: { ...manifest, contextTokens, position, source } };
}

const isFirst = (stored: StoredVersion): stored is FirstVersion =>
  stored.manifest.format === "antidote-prompts-1" && "config" in stored.manifest;
