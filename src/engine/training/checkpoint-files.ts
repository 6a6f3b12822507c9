import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import { OVERRIDES_FILE } from "../clip/overrides.ts";
import { encodeSafetensors } from "../clip/safetensors.ts";
import type { Layout } from "./layout.ts";
import { type TrainingState, tensorsOf } from "./state.ts";

/** A file of a checkpoint that is to be written. */
export interface CheckpointFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export const WEIGHTS_FILE = "open_clip_model.safetensors";

/**
 * The weights of a training state as open_clip names them. `batches` is what PyTorch would have counted in every batch
 * normalisation, which it asks for and does not use.
 */
export function weightsFile(layout: Layout, state: TrainingState, batches = state.step): CheckpointFile {
  const counters = layout.statistics.places
    .filter(({ name }) => name.endsWith(".running_mean"))
    .map(({ name }) => ({
      name: name.replace(/running_mean$/, "num_batches_tracked"),
      shape: [],
      data: BigInt64Array.of(BigInt(batches)),
    }));
  return {
    name: WEIGHTS_FILE,
    bytes: encodeSafetensors([...tensorsOf(layout, state), ...counters], { format: "pt" }),
  };
}

/** What else belongs to a checkpoint: what Python's libraries read of a tokenizer, and what an operator has said. */
const BESIDE = ["tokenizer_config.json", "special_tokens_map.json", OVERRIDES_FILE];

/**
 * Only open_clip's layout can be written: throws UNSUPPORTED_ARCHITECTURE for a checkpoint of another, whose
 * configuration open_clip would not understand.
 */
export function requireTrainable({ name, format }: Pick<Checkpoint, "name" | "format">): void {
  if (format === "open_clip") return;
  throw new AppError(
    "UNSUPPORTED_ARCHITECTURE",
    `The checkpoint "${name}" has the layout of ${format}; only open_clip's can be trained and written.`,
    { model: name, format },
  );
}

/** All files of a checkpoint that was trained further, the weights last. It has to be trainable. */
export async function trainedFiles(
  source: Checkpoint,
  layout: Layout,
  state: TrainingState,
): Promise<CheckpointFile[]> {
  requireTrainable(source);
  const names = [...new Set([...source.files, ...BESIDE])].filter((name) => name !== WEIGHTS_FILE);
  const copies = names.map(async (name) => {
    const bytes = await readFile(join(source.folder, name)).catch(() => undefined);
    return bytes ? [{ name, bytes }] : [];
  });
  return [...(await Promise.all(copies)).flat(), weightsFile(layout, state)];
}

/** What was done to a checkpoint, for people and tests: the given facts, and the digests of both weights. */
export async function manifestFile(
  source: Checkpoint,
  made: readonly CheckpointFile[],
  facts: Readonly<Record<string, unknown>>,
): Promise<CheckpointFile> {
  const weights = made.find(({ name }) => name === WEIGHTS_FILE)!;
  const manifest = {
    ...facts,
    base: `sha256:${await source.weightsDigest()}`,
    weights: `sha256:${createHash("sha256").update(weights.bytes).digest("hex")}`,
  };
  return { name: "manifest.json", bytes: new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`) };
}
