import { AppError } from "../../../errors.ts";
import type { GraphBuilder } from "../builder.ts";
import type { Graph, Node, Shape, Wire } from "../graph.ts";
import { readsOf } from "../passes/prune.ts";
import { bringConstant, constantOf, withFolding } from "./constants.ts";
import { cannot, OPEN_SIZES, type Sizes } from "./operator.ts";
import { operatorOf } from "./operators/index.ts";

export interface TranslateOptions {
  /** What stands for values of the export: its inputs, or what is cut in the middle. */
  readonly bindings: Readonly<Record<string, Wire>>;
  /** Names of the values wanted. */
  readonly outputs: readonly string[];
  /** Put before the names of constants, which are the export's. */
  readonly prefix?: string;
  readonly sizes?: (translation: Translated) => Sizes;
}

/** What a translation has made so far. */
export interface Translated {
  readonly g: GraphBuilder;
  /** Whether a value depends on none of the bindings. */
  isConstant(wire: Wire): boolean;
}

export interface Translation {
  readonly outputs: readonly Wire[];
  /** Shapes of all values of the export that were needed, by their names. */
  readonly shapes: ReadonlyMap<string, Shape>;
}

/**
 * Brings an imported graph, or a part of it, into a builder: of any opset from 11 on to the builder's, with open axes
 * fixed by the shapes of the bindings, everything that depends on shapes alone computed, each If replaced by the
 * branch taken, and what has no gradient written by what has one. Nothing is run, so it takes milliseconds and trusts
 * nobody. Throws INVALID_GRAPH naming the operator and the node that stand in the way.
 */
export function translate(g: GraphBuilder, graph: Graph, options: TranslateOptions): Translation {
  return withFolding(g, () => new Translator(g, graph, options).translate(options.outputs));
}

class Translator implements Translated {
  private readonly wires = new Map<string, Wire>();
  private readonly dependent = new Set<string>();
  private readonly sizes: Sizes;

  constructor(
    readonly g: GraphBuilder,
    private readonly graph: Graph,
    private readonly options: TranslateOptions,
  ) {
    for (const [name, wire] of Object.entries(options.bindings)) {
      this.wires.set(name, wire);
      this.dependent.add(wire.name);
    }
    this.sizes = options.sizes?.(this) ?? OPEN_SIZES;
  }

  translate(outputs: readonly string[]): Translation {
    this.nodes(this.graph, outputs);
    const wanted = outputs.map((name) => this.wire(name, this.graph));
    return { outputs: wanted, shapes: new Map([...this.wires].map(([name, { shape }]) => [name, shape])) };
  }

  isConstant(wire: Wire): boolean {
    return !this.dependent.has(wire.name);
  }

  /** Translates what the wanted values need. */
  private nodes(graph: Graph, wanted: readonly string[]): void {
    const needed = new Set(wanted.filter((name) => !this.wires.has(name)));
    const nodes = graph.nodes.toReversed().filter((node) => {
      const alive = node.outputs.some((name) => needed.has(name) && !this.wires.has(name));
      if (alive) for (const name of readsOf(node)) needed.add(name);
      return alive;
    });
    for (const node of nodes.toReversed()) this.node(node, graph);
  }

  private node(node: Node, graph: Graph): void {
    const made = this.made(node, graph);
    const depends = readsOf(node).some((name) => this.dependent.has(this.wires.get(name)?.name ?? ""));
    node.outputs.forEach((name, index) => {
      if (name === "" || this.wires.has(name)) return;
      const wire = made[index] ?? cannot(node, `has an output (number ${index + 1}) that is not supported`);
      this.wires.set(name, wire);
      if (depends && !this.g.isInline(wire)) this.dependent.add(wire.name);
    });
  }

  private made(node: Node, graph: Graph): readonly Wire[] {
    if (node.op === "If" && !node.domain) return this.branch(node, graph);
    if (node.op === "Constant" && !node.domain) {
      const constant = constantOf(node) ?? cannot(node, "holds no numbers");
      return [bringConstant(this.g, constant, this.nameOf(node.outputs[0]))];
    }
    const operator = operatorOf(node);
    const inputs = node.inputs.map((name) => (name === "" ? undefined : this.wire(name, graph)) as Wire);
    try {
      const { g, sizes } = this;
      const made = operator({ g, node, opset: node.opset ?? graph.opset, in: inputs, sizes });
      return Array.isArray(made) ? made : [made as Wire];
    } catch (cause) {
      throw explained(cause, node, inputs);
    }
  }

  private branch(node: Node, graph: Graph): readonly Wire[] {
    const condition = this.g.numbers(this.wire(node.inputs[0], graph));
    if (!condition) cannot(node, "depends on data, not on shapes alone");
    const branch = node.attributes[condition[0] !== 0 ? "then_branch" : "else_branch"];
    if (branch?.kind !== "graph") return cannot(node, "lacks a branch");
    const results = branch.value.outputs.map(({ name }) => name);
    const inner = {
      ...branch.value,
      initializers: new Map([...graph.initializers, ...branch.value.initializers]),
    };
    this.nodes(inner, results);
    return results.map((name) => this.wire(name, inner));
  }

  private wire(name: string, graph: Graph): Wire {
    const known = this.wires.get(name);
    if (known) return known;
    const constant = graph.initializers.get(name);
    if (!constant)
      throw new AppError(
        "INVALID_GRAPH",
        `Value "${name}" of "${graph.name}" is read, but nothing gives it.`,
        { name },
      );
    const wire = bringConstant(this.g, constant, this.nameOf(name));
    this.wires.set(name, wire);
    return wire;
  }

  private nameOf(name: string): string {
    return `${this.options.prefix ?? ""}${name}`;
  }
}

/** Says where shapes did not fit. */
function explained(cause: unknown, node: Node, inputs: readonly (Wire | undefined)[]): unknown {
  const about = cause instanceof AppError && cause.code === "INVALID_GRAPH" ? cause : undefined;
  if (cause instanceof AppError && (!about || about.details.node !== undefined)) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const shapes = inputs.map((wire) => (wire ? `[${wire.shape}]` : "nothing")).join(", ");
  return new AppError(
    "INVALID_GRAPH",
    `${node.op} (node "${node.name}") of ${shapes} cannot be taken over: ${reason}`,
    { op: node.op, node: node.name },
    { cause },
  );
}
