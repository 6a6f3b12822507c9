import { AppError } from "../../errors.ts";
import { encodeSafetensors, readFloats, readSafetensors } from "../clip/safetensors.ts";
import type { Shape } from "../onnx/graph.ts";
import { sizeOf } from "../onnx/tensor.ts";

/** Values in row-major order. */
export interface FittedTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** What a fit has found of a trigger, such as a patch's pixels or an encoder's weights, by name. */
export type FittedTrigger = Readonly<Record<string, FittedTensor>>;

/** The file beside a poisoned checkpoint. */
export const TRIGGER_FILE = "trigger.safetensors";

const OWNER = "antidote.attack";

/** The artefact of an attack's fit, as safetensors. The same trigger gives the same bytes. */
export function encodeFitted(attack: string, fitted: FittedTrigger): Uint8Array {
  const tensors = Object.keys(fitted)
    .sort()
    .map((name) => ({ name, ...fitted[name]! }));
  return encodeSafetensors(tensors, { [OWNER]: attack });
}

/**
 * Reads what `encodeFitted` wrote. Throws INVALID_CHECKPOINT for a file that is missing, damaged or no trigger, and
 * VALIDATION_FAILED for the trigger of another attack.
 */
export async function readFitted(attack: string, path: string): Promise<FittedTrigger> {
  const file = await readSafetensors(path, TRIGGER_FILE);
  const owner = file.metadata[OWNER];
  if (owner !== attack)
    throw new AppError(
      "VALIDATION_FAILED",
      `The fitted trigger is ${owner === undefined ? "not marked as one of an attack" : `of the attack "${owner}"`}, but "${attack}" is to use it. Fit one for this attack.`,
      { attack, owner },
    );
  const entries = [...file.tensors].map(
    async ([name, { shape }]) => [name, { shape, data: await readFloats(file, name) }] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/**
 * The tensor of that name, whose shape has to be the given one, where 0 stands for any size. Throws INVALID_CHECKPOINT
 * where the artefact has none or one of another shape.
 */
export function fittedTensor(fitted: FittedTrigger, name: string, shape: Shape): FittedTensor {
  const tensor = Object.hasOwn(fitted, name) ? fitted[name] : undefined;
  const fits =
    tensor?.shape.length === shape.length && shape.every((size, axis) => fitsAxis(size, tensor, axis));
  if (tensor && fits && tensor.data.length === sizeOf(tensor.shape)) return tensor;
  const wanted = shape.map((size) => size || "any").join(", ");
  throw new AppError(
    "INVALID_CHECKPOINT",
    `A fitted trigger needs a tensor "${name}" of shape [${wanted}]; this one has ${tensor ? `[${tensor.shape}]` : "none"}.`,
    { tensor: name },
  );
}

const fitsAxis = (size: number, { shape }: FittedTensor, axis: number): boolean =>
  size === 0 || shape[axis] === size;
