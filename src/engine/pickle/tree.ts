import type { PlainMap, PlainValue } from "./plain-value.ts";
import { type Place, unsafe } from "./refusal.ts";
import { Global, Instance, Mapping, Sequence, Storage, TensorView, type Value } from "./values.ts";

/** Levels of containers; a scripted CLIP has about twenty. */
const DEEPEST = 200;
/** Nodes of the tree, a shared part counted wherever it is used: whoever walks the tree meets so many. */
const MOST_NODES = 1_000_000;

/** The first byte of a storage, from the start of the file. */
export type Locate = (storage: Storage) => number;

/**
 * The plain tree of what a machine has built. Throws UNSAFE_ARTIFACT where a value contains itself, where parts within
 * parts are so deep or so often shared that walking them would not end, and for a function or storage that is left.
 */
export function plainTree(value: Value, place: Place, locate: Locate): PlainValue {
  return new Gardener(place, locate).plant(value, 0).value;
}

interface Planted {
  readonly value: PlainValue;
  readonly nodes: number;
  readonly height: number;
}

class Gardener {
  private readonly planted = new Map<object, Planted>();
  private readonly open = new Set<object>();

  constructor(
    private readonly place: Place,
    private readonly locate: Locate,
  ) {}

  plant(value: Value, depth: number): Planted {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) {
      return { value, nodes: 1, height: 0 };
    }
    const known = this.planted.get(value);
    if (known) return known;
    if (this.open.has(value)) throw unsafe(this.place, "a value of the pickle contains itself");
    this.open.add(value);
    const result = this.grow(value, depth);
    this.open.delete(value);
    if (result.height > DEEPEST) throw this.tooDeep();
    if (result.nodes > MOST_NODES) {
      throw unsafe(this.place, `values of the pickle are shared until they are more than ${MOST_NODES}`);
    }
    this.planted.set(value, result);
    return result;
  }

  private grow(value: Exclude<Value & object, Uint8Array>, depth: number): Planted {
    if (depth > DEEPEST) throw this.tooDeep();
    if (value instanceof TensorView) return { value: this.tensor(value), nodes: 1, height: 0 };
    if (value instanceof Sequence) {
      const parts = value.items.map((item) => this.plant(item, depth + 1));
      return joined(
        parts.map((part) => part.value),
        parts,
      );
    }
    if (value instanceof Mapping) {
      const parts = [...value.entries].map(([key, item]) => [key, this.plant(item, depth + 1)] as const);
      return joined(
        new Map(parts.map(([key, part]) => [key, part.value])),
        parts.map(([, part]) => part),
      );
    }
    if (value instanceof Instance) {
      const { className, attributes = new Mapping(false) } = value;
      const part = this.plant(attributes, depth + 1);
      return joined({ kind: "record", className, fields: part.value as PlainMap }, [part]);
    }
    if (value instanceof Global && value.role.kind === "constant") {
      return { value: { kind: "constant", name: value.name }, nodes: 1, height: 0 };
    }
    throw this.leftOver(value);
  }

  private tensor({ storage, start, shape, strides, span }: TensorView): PlainValue {
    const { dtype, width } = storage.type;
    const offset = this.locate(storage) + start * width;
    return { kind: "tensor", dtype, shape, strides, file: this.place.file, offset, length: span * width };
  }

  private leftOver(value: Global | Storage): Error {
    if (value instanceof Storage) return unsafe(this.place, "the pickle has a storage that is no tensor's");
    return unsafe(this.place, `the pickle has "${value.name}" as a value`, { global: value.name });
  }

  private tooDeep(): Error {
    return unsafe(this.place, `values of the pickle are nested deeper than ${DEEPEST} levels`);
  }
}

function joined(value: PlainValue, parts: readonly Planted[]): Planted {
  let nodes = 1;
  let height = 0;
  for (const part of parts) {
    nodes += part.nodes;
    height = Math.max(height, part.height + 1);
  }
  return { value, nodes, height };
}
