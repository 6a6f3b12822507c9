import { AppError } from "../../errors.ts";
import type { CheckpointFolder } from "./checkpoint-folder.ts";
import { readStoredFloats } from "./stored-tensor.ts";
import { type FiledTensors, gatherTensors } from "./stored-weights.ts";

const KEY = "logit_scale";

/** The factor of the cosines, exp of what is stored. Throws INVALID_CHECKPOINT where it is missing or no number. */
export async function readLogitScale(folder: CheckpointFolder, filed: FiledTensors): Promise<number> {
  const shape = filed.get(KEY)?.shape.length === 1 ? [1] : [];
  const { tensors } = gatherTensors(folder, filed, [[KEY, shape]], () => ({ keys: [KEY] }));
  const [logarithm] = await readStoredFloats(folder.root, tensors.get(KEY)!);
  const scale = Math.exp(logarithm);
  if (Number.isFinite(scale) && scale > 0) return scale;
  const file = filed.get(KEY)?.file;
  const message = `${file}: tensor "${KEY}" is not a usable number. Export the checkpoint again.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file, tensor: KEY });
}
