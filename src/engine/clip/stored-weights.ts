import { AppError } from "../../errors.ts";
import type { Shape } from "../onnx/graph.ts";
import type { CheckpointFolder } from "./checkpoint-folder.ts";
import { readSafetensors } from "./safetensors.ts";
import type { TensorEntry } from "./safetensors-header.ts";
import { type StoredTensor, weightType } from "./stored-tensor.ts";
import type { ExpectedTensor } from "./weights.ts";

/** A tensor where a checkpoint has it. */
export interface FiledTensor extends TensorEntry {
  /** In the checkpoint's folder. */
  readonly file: string;
  /** Whether the bytes are those of the matrix's transpose, row by row. */
  readonly transposed?: boolean;
}

/** All tensors of a checkpoint, by the names that its files give them. */
export type FiledTensors = ReadonlyMap<string, FiledTensor>;

/**
 * Where a checkpoint has a tensor of the network: the keys of the tensors that are joined on the first axis, in
 * order, and whether the result is stored the other way around.
 */
export interface TensorSource {
  readonly keys: readonly string[];
  readonly transposed?: boolean;
}

/** All tensors of some safetensors files. Throws INVALID_CHECKPOINT where two files have the same tensor. */
export async function readTensors(
  folder: CheckpointFolder,
  files: readonly string[],
): Promise<Map<string, FiledTensor>> {
  const all = new Map<string, FiledTensor>();
  for (const file of files) {
    const { tensors } = await readSafetensors(`${folder.root}/${folder.locate(file)}`, file);
    for (const [name, entry] of tensors) {
      if (all.has(name)) {
        const message = `${file}: tensor "${name}" is in ${all.get(name)?.file} too. Export the checkpoint again.`;
        throw new AppError("INVALID_CHECKPOINT", message, { file, tensor: name });
      }
      all.set(name, { ...entry, file });
    }
  }
  return all;
}

/** What `gatherTensors` found: the network's tensors by their names, and the keys that no network reads. */
export interface GatheredTensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly unusedKeys: readonly string[];
}

/**
 * Finds every tensor that a network expects. Throws INVALID_CHECKPOINT naming the file, and the key in it, of one
 * that is missing, not of a floating type, or of another shape.
 */
export function gatherTensors(
  folder: CheckpointFolder,
  filed: FiledTensors,
  expected: readonly ExpectedTensor[],
  sourceOf: (name: string) => TensorSource,
): GatheredTensors {
  const unused = new Set(filed.keys());
  const tensors = new Map<string, StoredTensor>();
  for (const [name, shape] of expected) {
    const source = sourceOf(name);
    tensors.set(name, gather(folder, filed, name, shape, source));
    for (const key of source.keys) unused.delete(key);
  }
  return { tensors, unusedKeys: [...unused] };
}

function gather(
  folder: CheckpointFolder,
  filed: FiledTensors,
  name: string,
  shape: Shape,
  { keys, transposed = false }: TensorSource,
): StoredTensor {
  const [rows, ...rest] = transposed ? shape.toReversed() : shape;
  const partShape = rows === undefined ? [] : [rows / keys.length, ...rest];
  const found = keys.map((key) => checkTensor(filed, key, partShape));
  const turned = found[0].transposed ?? false;
  const inColumns = found.find((entry) => entry.transposed);
  if (inColumns && keys.length > 1) {
    throw unfit(
      inColumns.file,
      inColumns.name,
      "lies column by column, where it is to be joined with others",
    );
  }
  const storedShape = turned ? partShape.toReversed() : partShape;
  const parts = found.map(({ file, offset, length }) => {
    return { file: folder.locate(file), offset, length, shape: storedShape };
  });
  const dtype = found[0].dtype;
  const other = found.find((entry) => entry.dtype !== dtype);
  if (other) throw unfit(other.file, other.name, `has type ${other.dtype}, but ${keys[0]} has ${dtype}`);
  return { name, dtype, shape, parts, ...(transposed !== turned && { transposed: true }) };
}

function checkTensor(filed: FiledTensors, key: string, expected: Shape): FiledTensor {
  const entry = filed.get(key);
  if (!entry) {
    const files = [...new Set([...filed.values()].map(({ file }) => file))];
    throw unfit(files.join(", "), key, `is missing; its shape would be [${expected}]`, { expected });
  }
  const { file, dtype, shape } = entry;
  if (!weightType(dtype)) {
    throw unfit(file, key, `has type ${dtype}; F32, F16, BF16 or F64 was expected`, { dtype, expected });
  }
  if (shape.length !== expected.length || shape.some((size, axis) => size !== expected[axis])) {
    throw unfit(file, key, `has shape [${shape}], but [${expected}] was expected`, {
      expected,
      found: shape,
    });
  }
  return entry;
}

function unfit(file: string, tensor: string, problem: string, facts: object = {}): AppError {
  const message = `${file}: tensor "${tensor}" ${problem}. The weights do not fit the configuration.`;
  return new AppError("INVALID_CHECKPOINT", message, { file, tensor, ...facts });
}
