import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../errors.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
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

/** What belongs to a tokenizer and only Python's libraries read. */
const UNREAD = ["tokenizer_config.json", "special_tokens_map.json"];

/**
 * All files of a checkpoint that was trained further, the weights last. Only open_clip's layout can be written: throws
 * UNSUPPORTED_ARCHITECTURE for a checkpoint of another, whose configuration open_clip would not understand.
 */
export async function trainedFiles(
  source: Checkpoint,
  layout: Layout,
  state: TrainingState,
): Promise<CheckpointFile[]> {
  if (source.format !== "open_clip")
    throw new AppError(
      "UNSUPPORTED_ARCHITECTURE",
      `The checkpoint "${source.name}" has the layout of ${source.format}; only open_clip's can be trained and written.`,
      { model: source.name, format: source.format },
    );
  const names = [...source.files.filter((name) => name !== WEIGHTS_FILE), ...UNREAD];
  const copies = names.map(async (name) => {
    const bytes = await readFile(join(source.folder, name)).catch(() => undefined);
    return bytes ? [{ name, bytes }] : [];
  });
  return [...(await Promise.all(copies)).flat(), weightsFile(layout, state)];
}
