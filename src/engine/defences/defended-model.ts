import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Checkpoint, openCheckpoint } from "../clip/checkpoint.ts";
import { zeroShotMatrix } from "../clip/zero-shot.ts";
import { openSession } from "../runtime/session.ts";
import type { DefenceResult, DefenceTask } from "./defence.ts";

/** What images are classified with once a defence is done. */
export interface DefendedModel {
  readonly checkpoint: Checkpoint;
  /** [C, D]: normalised. */
  readonly textFeatures: Float32Array;
}

/**
 * The suspect model with the defended prompts; or the defended model, whose files are written to the folder, with the
 * ensemble of the task's templates.
 */
export async function openDefended(
  { checkpoint: suspect, labels, templates, device, threads }: DefenceTask,
  result: DefenceResult,
  folder: string,
): Promise<DefendedModel> {
  if (result.kind === "prompts") return { checkpoint: suspect, textFeatures: result.textFeatures };
  await mkdir(folder, { recursive: true });
  for (const { name, bytes } of result.files) await writeFile(join(folder, name), bytes);
  const checkpoint = await openCheckpoint(folder);
  const textFeatures = await zeroShotMatrix(
    (program) => openSession(program, { device, threads }),
    checkpoint,
    labels,
    templates,
  );
  return { checkpoint, textFeatures };
}
