import { AppError } from "../../errors.ts";
import type { CheckpointFolder } from "./checkpoint-folder.ts";
import { readStoredFloats } from "./stored-tensor.ts";
import { type FiledTensors, gatherTensors } from "./stored-weights.ts";

/** CLIP's training keeps the factor below 100; by a huge one, logits and their softmax are no numbers. */
export const LARGEST_LOGIT_SCALE = 10_000;

/**
 * The factor of the cosines, exp of what is stored under that key. Throws INVALID_CHECKPOINT where it is missing, no
 * number, or beyond all use.
 */
export async function readLogitScale(
  folder: CheckpointFolder,
  filed: FiledTensors,
  key = "logit_scale",
): Promise<number> {
  const shape = filed.get(key)?.shape.length === 1 ? [1] : [];
  const { tensors } = gatherTensors(folder, filed, [[key, shape]], () => ({ keys: [key] }));
  const [logarithm] = await readStoredFloats(folder.root, tensors.get(key)!);
  const scale = Math.exp(logarithm);
  if (scale > 0 && scale <= LARGEST_LOGIT_SCALE) return scale;
  const file = filed.get(key)?.file;
  const message = `${file}: tensor "${key}" is not a usable number. Export the checkpoint again.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file, tensor: key });
}
