import { digestOf } from "../canonical.ts";
import type { Evidence, NewVersion, VersionRecord } from "../prompts.ts";
import type { Bundle } from "./bundle.ts";

const NOT_MEASURED: Evidence = {
  probe: { ca: { k: 0, n: 0 } },
  undefendedProbe: { ca: { k: 0, n: 0 } },
  code: "unknown",
  device: "unknown",
};

const ID_DIGITS = 32;

/** The version that a bundle is, stored as `artifact`. */
export function versionOf(
  { manifest, evidence = NOT_MEASURED }: Omit<Bundle, "tensors">,
  artifact: VersionRecord["artifact"],
): NewVersion {
  const digest = digestOf(manifest);
  const id = digest.slice("sha256:".length).slice(0, ID_DIGITS);
  return { ...evidence, id, digest, manifest, artifact, createdAt: new Date().toISOString() };
}
