import { readArchive } from "./archive.ts";
import { readLegacy } from "./legacy.ts";
import type { PlainValue } from "./plain-value.ts";
import { damaged } from "./refusal.ts";
import { type Source, sourceOf, withSource } from "./source.ts";

/** A file that torch.save or torch.jit.save wrote. */
export interface PytorchFile {
  /** `zip` since PyTorch 1.6, `legacy` before it; `torchscript` has code too, which is not read. */
  readonly format: "zip" | "torchscript" | "legacy";
  /** What was saved: usually a state_dict, or a map that has one; a record for a TorchScript module. */
  readonly root: PlainValue;
}

/**
 * Reads what a PyTorch file says without running any of it, and without reading its tensors. Throws UNSAFE_ARTIFACT
 * that names the opcode, the global or the zip entry where something is not what PyTorch writes for tensors and plain
 * metadata, and INVALID_CHECKPOINT where the file is broken or no PyTorch file. Memory and time are bounded for any
 * file: at most 64 MiB of it are looked at.
 */
export const readPytorchFile = (path: string): Promise<PytorchFile> => withSource(path, readSource);

/** The same for a file that is in memory; its tensors' offsets are into `bytes`. */
export const parsePytorchFile = (bytes: Uint8Array, file: string): Promise<PytorchFile> =>
  readSource(sourceOf(bytes, file));

/** Whether the bytes begin as those of a PyTorch file do. */
export const looksLikePytorch = (bytes: Uint8Array): boolean => formatOf(bytes) !== undefined;

async function readSource(source: Source): Promise<PytorchFile> {
  const format = formatOf(await source.read(0, Math.min(source.size, 4)));
  if (format === "zip") return readArchive(source);
  if (format === "legacy") return readLegacyFile(source);
  throw damaged(source.place, "the file is no PyTorch file: it starts neither like a zip nor like a pickle");
}

function formatOf(bytes: Uint8Array): "zip" | "legacy" | undefined {
  const start = Buffer.from(bytes.subarray(0, 4)).toString("latin1");
  if (start === "PK\x03\x04") return "zip";
  return start.startsWith("\x80") ? "legacy" : undefined;
}

const readLegacyFile = async (source: Source): Promise<PytorchFile> => ({
  format: "legacy",
  root: await readLegacy(source),
});
