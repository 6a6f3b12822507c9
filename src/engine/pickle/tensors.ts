import {
  type ElementFormat,
  Global,
  type Hands,
  Mapping,
  Sequence,
  Storage,
  TensorView,
  type Value,
} from "./values.ts";

/** PyTorch's classes of storages, and what their elements are. */
export const STORAGES: Readonly<Record<string, ElementFormat>> = {
  DoubleStorage: { dtype: "F64", width: 8 },
  FloatStorage: { dtype: "F32", width: 4 },
  HalfStorage: { dtype: "F16", width: 2 },
  BFloat16Storage: { dtype: "BF16", width: 2 },
  LongStorage: { dtype: "I64", width: 8 },
  IntStorage: { dtype: "I32", width: 4 },
  ShortStorage: { dtype: "I16", width: 2 },
  CharStorage: { dtype: "I8", width: 1 },
  ByteStorage: { dtype: "U8", width: 1 },
  BoolStorage: { dtype: "BOOL", width: 1 },
};

/** PyTorch itself has at most 64 dimensions. */
const MOST_DIMENSIONS = 64;

/**
 * The storage that a persistent id names: ("storage", class, key, device, elements), and for the legacy format None
 * after them. Undefined for a persistent id of any other form.
 */
export function storageOf(id: Value): Storage | undefined {
  if (!(id instanceof Sequence) || id.kind !== "tuple") return undefined;
  const [tag, type, key, device, elements, view = null] = id.items;
  if (tag !== "storage" || view !== null || id.items.length > 6) return undefined;
  if (!(type instanceof Global) || type.role.kind !== "storage") return undefined;
  if (typeof key !== "string" || typeof device !== "string" || !isCount(elements)) return undefined;
  return new Storage(key, type.role.type, elements);
}

/** _rebuild_tensor(storage, start, shape, strides) */
export function rebuildTensor(args: readonly Value[], hands: Hands): TensorView {
  const [storage, start, shape, strides] = args;
  if (args.length !== 4 || !(storage instanceof Storage) || !isCount(start)) {
    throw hands.damaged("is called with something that is no storage and place in it");
  }
  return viewOf(storage, start, countsOf(shape, hands), countsOf(strides, hands), hands);
}

/** _rebuild_tensor_v2(storage, start, shape, strides, requires_grad, backward_hooks, metadata?) */
export function rebuildTensorV2(args: readonly Value[], hands: Hands): TensorView {
  const [requiresGradient, hooks, metadata = null] = args.slice(4);
  if (args.length < 6 || args.length > 7 || typeof requiresGradient !== "boolean") {
    throw hands.damaged("is called with the wrong number or kind of values");
  }
  rejectHooks(hooks, hands);
  // Bits that say "read this negated" or "conjugated" would change the values.
  if (!isEmpty(metadata))
    throw hands.damaged("gives a tensor extra metadata, which the engine does not know");
  return rebuildTensor(args.slice(0, 4), hands);
}

/** _rebuild_parameter(tensor, requires_grad, backward_hooks): the tensor itself. */
export function rebuildParameter(args: readonly Value[], hands: Hands): TensorView {
  const [tensor, requiresGradient, hooks] = args;
  if (args.length !== 3 || !(tensor instanceof TensorView) || typeof requiresGradient !== "boolean") {
    throw hands.damaged("is called with something that is no tensor");
  }
  rejectHooks(hooks, hands);
  return tensor;
}

function rejectHooks(hooks: Value, hands: Hands): void {
  if (!isEmpty(hooks)) throw hands.unsafe("attaches hooks, which are code, to a tensor");
}

const isEmpty = (value: Value): boolean =>
  value === null || (value instanceof Mapping && value.entries.size === 0);

const isCount = (value: Value): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function countsOf(value: Value, hands: Hands): number[] {
  const isTuple = value instanceof Sequence && value.kind !== "set";
  if (isTuple && value.items.length <= MOST_DIMENSIONS && value.items.every(isCount)) {
    return [...value.items] as number[];
  }
  throw hands.damaged("has a shape or strides that are not a tuple of whole numbers from zero");
}

function viewOf(
  storage: Storage,
  start: number,
  shape: readonly number[],
  strides: readonly number[],
  hands: Hands,
): TensorView {
  if (shape.length !== strides.length) throw hands.damaged("has a shape and strides of different lengths");
  const elements = shape.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(elements)) throw hands.damaged(`has the impossible shape [${shape}]`);
  const reach = shape.reduce((sum, size, axis) => sum + (size - 1) * strides[axis], 1);
  const span = elements === 0 ? 0 : reach;
  // Rounding cannot make a sum of this size fit: storages are far smaller than 2⁵³.
  if (start + span <= storage.elements) return new TensorView(storage, start, shape, strides, span);
  throw hands.damaged(
    `makes a tensor [${shape}] with strides [${strides}] at ${start} of a storage of ${storage.elements} elements, which it leaves`,
  );
}
