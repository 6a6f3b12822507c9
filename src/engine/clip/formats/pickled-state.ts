import { AppError } from "../../../errors.ts";
import {
  isMap,
  isRecord,
  isTensor,
  memoryLayout,
  type PlainMap,
  type PlainRecord,
  type PlainTensor,
  type PlainValue,
} from "../../pickle/index.ts";
import type { FiledTensor } from "../stored-weights.ts";

/** Where training runs and libraries keep the weights within what they save. */
const CONTAINERS = ["state_dict", "model_state_dict", "model", "module", "net"];
const DEEPEST = 4;

/**
 * The tensors of what a PyTorch file says, by name: those of a state_dict, also of one within a checkpoint of a
 * training run, or all attributes of a TorchScript module. Throws INVALID_CHECKPOINT where there is none.
 */
export function stateOf(root: PlainValue, file: string): ReadonlyMap<string, PlainTensor> {
  const state = findState(root, 0);
  if (state.size > 0) return state;
  const keys = isMap(root) ? [...root.keys()].slice(0, 8).join(", ") : "";
  const found = keys ? `its keys are ${keys}` : "it is no dictionary";
  const message = `${file} holds no state_dict: ${found}. Save model.state_dict() with torch.save.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file });
}

function findState(value: PlainValue | undefined, depth: number): ReadonlyMap<string, PlainTensor> {
  if (value === undefined || depth > DEEPEST) return new Map();
  if (isRecord(value)) return attributesOf(value);
  if (!isMap(value)) return new Map();
  for (const container of CONTAINERS) {
    const inner = findState(value.get(container), depth + 1);
    if (inner.size > 0) return inner;
  }
  return new Map(directTensors(value));
}

const directTensors = (map: PlainMap): [string, PlainTensor][] =>
  [...map].flatMap(([name, value]) => (isTensor(value) ? [[String(name), value]] : []));

/** `visual.conv1.weight` for the attribute of an attribute of an attribute. */
function attributesOf(record: PlainRecord, path = ""): Map<string, PlainTensor> {
  const tensors = new Map<string, PlainTensor>();
  for (const [name, value] of record.fields) {
    if (isTensor(value)) tensors.set(`${path}${name}`, value);
    else if (isRecord(value)) {
      for (const [inner, tensor] of attributesOf(value, `${path}${name}.`)) tensors.set(inner, tensor);
    }
  }
  return tensors;
}

/** What wrappers put before the names of the model within them: "module.", "model." and the like, or nothing. */
export function wrapperPrefix(names: readonly string[], file: string): string {
  const ends = names.filter((name) => name === "logit_scale" || name.endsWith(".logit_scale"));
  const prefixes = ends.map((name) => name.slice(0, -"logit_scale".length));
  if (prefixes.length <= 1) return prefixes[0] ?? "";
  const message = `${file} holds several models, ${prefixes.map((prefix) => `"${prefix}"`).join(" and ")}. Save the state_dict of one of them.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file });
}

/**
 * A pickled tensor as weights are read: row by row, or a matrix that lies the other way around. Undefined for a view
 * that only strides describe.
 */
export function filedTensor(name: string, tensor: PlainTensor, file: string): FiledTensor | undefined {
  const layout = memoryLayout(tensor);
  if (layout === "strided") return undefined;
  const { dtype, shape, offset, length } = tensor;
  return { name, dtype, shape, offset, length, file, ...(layout === "transposed" && { transposed: true }) };
}
