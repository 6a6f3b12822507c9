import { quoted } from "./refusal.ts";

/** What lies on the stack of the machine: still mutable, perhaps shared, perhaps cyclic. */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Sequence
  | Mapping
  | Instance
  | Storage
  | TensorView
  | Global;

export class Sequence {
  constructor(
    readonly kind: "list" | "tuple" | "set",
    readonly items: Value[],
  ) {}
}

export class Mapping {
  readonly entries = new Map<string | number, Value>();
  /** Whether its items matter; an optimiser's, whose keys are tensors, do not, and it stays empty. */
  readonly keeps: boolean;

  /** An OrderedDict may have attributes, a plain dictionary may not. */
  constructor(
    readonly ordered: boolean,
    { keeps = true } = {},
  ) {
    this.keeps = keeps;
  }
}

/** An object of an inert class: a name and attributes, which a BUILD gives it once. */
export class Instance {
  attributes: Mapping | undefined;

  constructor(readonly className: string) {}
}

/** A run of elements of one type that tensors are views of. */
export class Storage {
  constructor(
    readonly key: string,
    readonly type: ElementFormat,
    /** Its length, in elements. */
    readonly elements: number,
  ) {}
}

export interface ElementFormat {
  /** As safetensors spells it. */
  readonly dtype: string;
  /** Bytes of one element. */
  readonly width: number;
}

export class TensorView {
  constructor(
    readonly storage: Storage,
    /** Elements of the storage before the first. */
    readonly start: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    /** Elements of the storage from the first to the last, both included; zero for an empty tensor. */
    readonly span: number,
  ) {}
}

/** A name of the allow-list, with what may be done with it. */
export class Global {
  constructor(
    readonly name: string,
    readonly role: Role,
  ) {}
}

export type Role =
  /** May be called by REDUCE; the function is this program's own. */
  | { readonly kind: "function"; readonly call: (args: readonly Value[], hands: Hands) => Value }
  /** May be instantiated without arguments by NEWOBJ. */
  | { readonly kind: "class" }
  | { readonly kind: "storage"; readonly type: ElementFormat }
  | { readonly kind: "constant" };

/** What a function may ask of the machine that calls it. */
export interface Hands {
  /** Counts work that grows with its arguments against the limit. */
  spend(steps: number): void;
  /** An INVALID_CHECKPOINT and an UNSAFE_ARTIFACT that name the function and the position. */
  damaged(problem: string): Error;
  unsafe(problem: string): Error;
}

/** A value in an error message. */
export function nameOf(value: Value): string {
  if (value instanceof Global) return `"${value.name}"`;
  if (value instanceof Instance) return `an object of "${value.className}"`;
  if (value instanceof Sequence) return `a ${value.kind}`;
  if (value instanceof Mapping) return value.ordered ? "an OrderedDict" : "a dictionary";
  if (value instanceof Storage) return "a storage";
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "string") return `the text ${quoted(value)}`;
  return typeof value === "object" && value !== null ? "a tensor" : `the value ${value}`;
}
