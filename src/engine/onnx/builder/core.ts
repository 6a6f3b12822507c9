import { AppError } from "../../../errors.ts";
import type { Attribute, ElementType, Graph, Initializer, Node, Shape, Storage, Wire } from "../graph.ts";
import { prune } from "../passes/prune.ts";
import { LARGEST_RANK } from "../shapes.ts";
import { fromBytes, sizeOf, type Tensor, tensorOf, toInitializer, toNumbers } from "../tensor.ts";

/** Where the graph will run; a few rules have a form for each. */
export type Provider = "cpu" | "cuda" | "webgpu";

export interface BuilderOptions {
  readonly name?: string;
  readonly opset?: number;
  /** Type of numbers that stand alone; float64 is for the reference interpreter. */
  readonly float?: "float32" | "float64";
  readonly provider?: Provider;
}

/** A value of the graph, or a number that becomes a constant of its partner's type. */
export type Operand = Wire | number;

/** Computes a node over constants, or leaves it as it is. */
export type Folding = (
  op: string,
  inputs: readonly (Wire | undefined)[],
  attributes: Readonly<Record<string, Attribute>>,
  outputs: readonly { readonly type: ElementType; readonly shape: Shape }[],
) => readonly Wire[] | undefined;

/** Constants up to this size are shared when equal. */
const SHARED_CONSTANT_BYTES = 256;
/** Of all constants together; a small model can ask for many large ones. Weights stay in their files. */
const MOST_CONSTANT_BYTES = 256 * 1024 * 1024;

/** The graph under construction: values, constants and the one primitive, `node`. */
export class GraphCore {
  readonly name: string;
  readonly opset: number;
  readonly float: "float32" | "float64";
  readonly provider: Provider;
  /** Names of values that gradients do not pass. */
  readonly detached = new Set<string>();
  private folding: Folding | undefined;
  private readonly graphInputs: Wire[] = [];
  private readonly graphOutputs: Wire[] = [];
  private readonly graphNodes: Node[] = [];
  private readonly initializers = new Map<string, Initializer>();
  private readonly values = new Map<string, Wire>();
  private readonly shared = new Map<string, Wire>();
  private constantBytes = 0;
  private readonly producers = new Map<string, Node>();

  constructor(options: BuilderOptions = {}) {
    this.name = options.name ?? "graph";
    this.opset = options.opset ?? 18;
    this.float = options.float ?? "float32";
    this.provider = options.provider ?? "cpu";
  }

  /** Everything appended so far, in topological order. */
  get nodes(): readonly Node[] {
    return this.graphNodes;
  }

  input(name: string, shape: Shape, type: ElementType = this.float): Wire {
    const wire = this.declare({ name, type, shape: [...shape] });
    this.graphInputs.push(wire);
    return wire;
  }

  /** Makes a value a result of the graph; a new name costs an Identity. */
  output(wire: Wire, name?: string): Wire {
    const asItIs = this.producers.has(wire.name) && (name ?? wire.name) === wire.name;
    const result = asItIs ? wire : this.renamed(wire, name ?? this.fresh("output"));
    this.graphOutputs.push(result);
    return result;
  }

  constant(value: number | Tensor): Wire {
    const tensor = typeof value === "number" ? tensorOf(this.float, [], [value]) : value;
    const bytes = new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);
    if (bytes.length > SHARED_CONSTANT_BYTES) return this.addInitializer(this.fresh("constant"), tensor);
    const key = `${tensor.type}[${tensor.shape}]${Buffer.from(bytes).toString("base64")}`;
    const known = this.shared.get(key) ?? this.addInitializer(this.fresh("constant"), tensor);
    this.shared.set(key, known);
    return known;
  }

  /** A constant whose bytes lie elsewhere, such as a weight in a safetensors file; asking twice gives one value. */
  initializer(name: string, type: ElementType, shape: Shape, storage: Storage): Wire {
    const known = this.initializers.get(name);
    if (known && sameStorage(known.storage, storage)) return this.wire(name);
    const wire = this.declare({ name, type, shape: [...shape] });
    this.initializers.set(name, { ...wire, storage });
    return wire;
  }

  /** Builds with nodes computed where `folding` can. */
  folded<Result>(folding: Folding, build: () => Result): Result {
    const outer = this.folding;
    this.folding = folding;
    try {
      return build();
    } finally {
      this.folding = outer;
    }
  }

  /** Appends one node and declares its outputs; an absent optional input is undefined. */
  node(
    op: string,
    inputs: readonly (Wire | undefined)[],
    attributes: Readonly<Record<string, Attribute>>,
    outputs: readonly { readonly type: ElementType; readonly shape: Shape }[],
  ): Wire[] {
    const known = this.folding?.(op, inputs, attributes, outputs);
    if (known) return [...known];
    const name = this.fresh(op);
    const wires = outputs.map((output, index) =>
      this.declare({
        name: index === 0 ? name : `${name}:${index}`,
        type: output.type,
        shape: [...output.shape],
      }),
    );
    const node: Node = {
      op,
      name,
      inputs: inputs.map((wire) => wire?.name ?? ""),
      outputs: wires.map((wire) => wire.name),
      attributes,
    };
    this.graphNodes.push(node);
    for (const wire of wires) this.producers.set(wire.name, node);
    return wires;
  }

  /** Appends a node with one output. */
  one(
    op: string,
    inputs: readonly (Wire | undefined)[],
    shape: Shape,
    attributes: Readonly<Record<string, Attribute>> = {},
    type: ElementType = inputs[0]?.type ?? this.float,
  ): Wire {
    return this.node(op, inputs, attributes, [{ type, shape }])[0];
  }

  /** The name itself if no value has it, or one like it. */
  freeName(name: string): string {
    return this.values.has(name) ? this.fresh(name) : name;
  }

  /** The value of that name. Throws INVALID_GRAPH where there is none. */
  wire(name: string): Wire {
    const wire = this.values.get(name);
    if (!wire) throw new AppError("INVALID_GRAPH", `The graph has no value "${name}".`, { name });
    return wire;
  }

  /** The node that makes a value; undefined for inputs and constants. */
  producer(wire: Wire): Node | undefined {
    return this.producers.get(wire.name);
  }

  /** Whether the numbers of a value are at hand. */
  isInline(wire: Wire): boolean {
    return this.initializers.get(wire.name)?.storage.kind === "inline";
  }

  /** The numbers of an inline constant; undefined for anything else. */
  numbers(wire: Wire | undefined): number[] | undefined {
    const initializer = wire && this.initializers.get(wire.name);
    if (initializer?.storage.kind !== "inline") return undefined;
    return toNumbers(fromBytes(initializer.type, initializer.shape, initializer.storage.bytes));
  }

  /** A one-dimensional int64 constant, as ONNX wants for axes, shapes and pads. */
  integers(values: readonly number[]): Wire {
    return this.constant(tensorOf("int64", [values.length], values));
  }

  zeros(shape: Shape, type: ElementType = this.float): Wire {
    return this.filled(shape, 0, type);
  }

  /** A value of one repeated number; large ones are expanded at run time, not stored. */
  filled(shape: Shape, value: number, type: ElementType = this.float): Wire {
    const scalar = this.constant(tensorOf(type, [], [value]));
    if (shape.length === 0) return scalar;
    if (sizeOf(shape) === 1) return this.constant(tensorOf(type, shape, [value]));
    return this.one("Expand", [scalar, this.integers(shape)], shape);
  }

  /** The finished graph: everything that its outputs need. Inputs all stay. */
  build(): Graph {
    return prune({
      name: this.name,
      opset: this.opset,
      inputs: [...this.graphInputs],
      outputs: [...this.graphOutputs],
      nodes: [...this.graphNodes],
      initializers: new Map(this.initializers),
      values: new Map(this.values),
    });
  }

  /** Operands as values: numbers take the type of the first value among them. */
  protected operands(list: readonly Operand[]): Wire[] {
    const type = list.find((operand): operand is Wire => typeof operand !== "number")?.type ?? this.float;
    return list.map((operand) =>
      typeof operand === "number" ? this.constant(tensorOf(type, [], [operand])) : operand,
    );
  }

  private renamed(wire: Wire, name: string): Wire {
    const renamed = this.declare({ name, type: wire.type, shape: wire.shape });
    const node = {
      op: "Identity",
      name: `Identity_${name}`,
      inputs: [wire.name],
      outputs: [name],
      attributes: {},
    };
    this.graphNodes.push(node);
    this.producers.set(name, node);
    return renamed;
  }

  private fresh(stem: string): string {
    let name = `${stem}_${this.values.size}`;
    while (this.values.has(name)) name = `${name}_`;
    return name;
  }

  private addInitializer(name: string, tensor: Tensor): Wire {
    this.constantBytes += tensor.data.byteLength;
    if (this.constantBytes > MOST_CONSTANT_BYTES)
      throw new AppError(
        "INVALID_GRAPH",
        `The constants of a graph take more than ${MOST_CONSTANT_BYTES} bytes.`,
      );
    const initializer = toInitializer(name, tensor);
    return this.initializer(name, initializer.type, initializer.shape, initializer.storage);
  }

  private declare(wire: Wire): Wire {
    if (this.values.has(wire.name))
      throw new AppError("INVALID_GRAPH", `The graph already has a value "${wire.name}".`, {
        name: wire.name,
      });
    if (wire.shape.length > LARGEST_RANK)
      throw new AppError(
        "INVALID_GRAPH",
        `A value would have ${wire.shape.length} axes; ${LARGEST_RANK} is most.`,
      );
    this.values.set(wire.name, wire);
    return wire;
  }
}

function sameStorage(a: Storage, b: Storage): boolean {
  if (a.kind === "file" && b.kind === "file")
    return a.file === b.file && a.offset === b.offset && a.length === b.length;
  return a.kind === "inline" && b.kind === "inline" && a.bytes === b.bytes;
}
