/**
 * An ONNX graph as plain data. Values are named; every value that a builder or the specialise pass made carries
 * its element type and static shape, so later passes and the autodiff see numbers, never symbols.
 */

export type ElementType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "int32"
  | "uint8"
  | "int8"
  | "bool"
  | "string";

export type Shape = readonly number[];

/** A named value with its element type and static shape. */
export interface Wire {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: Shape;
}

export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "tensor"; readonly value: Initializer }
  | { readonly kind: "graph"; readonly value: Graph }
  /** In a function that a model brings along: the attribute of the calling node that gives the value. */
  | { readonly kind: "reference"; readonly value: string };

export interface Node {
  readonly op: string;
  /** Whose operator it is, in an imported graph; absent for the standard ones. */
  readonly domain?: string;
  /** Which version of the standard operators an imported node is written for, where it is not the graph's. */
  readonly opset?: number;
  readonly name: string;
  /** An absent optional input is the empty string, as in ONNX. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/**
 * Where a constant's bytes lie (little-endian, row-major). `file` is relative to the model's folder, so a program
 * refers to the weights of the original checkpoint and never copies them.
 */
export type Storage =
  | { readonly kind: "inline"; readonly bytes: Uint8Array }
  | { readonly kind: "file"; readonly file: string; readonly offset: number; readonly length: number };

export interface Initializer extends Wire {
  readonly storage: Storage;
}

export interface Graph {
  readonly name: string;
  readonly opset: number;
  readonly inputs: readonly Wire[];
  readonly outputs: readonly Wire[];
  /** In topological order: a node's inputs come from earlier nodes, graph inputs or initializers. */
  readonly nodes: readonly Node[];
  readonly initializers: ReadonlyMap<string, Initializer>;
  /** Type and shape of every value that is known, by name. */
  readonly values: ReadonlyMap<string, Wire>;
}
