import { intOf, intsOf } from "../attributes.ts";
import type { Graph, Initializer, Node } from "../graph.ts";
import { constantOf } from "../passes/constants.ts";
import { fromBytes, sizeOf, toNumbers } from "../tensor.ts";

/**
 * Joins what exporters before opset 17 wrote in parts: layer normalisations, whose gradient as one operator costs half
 * as much. And leaves out the guard that PyTorch puts around its attention, against rows that see nothing: towers here
 * are always given texts that see themselves. Before: any decoded graph. After: the same values by the same names; the
 * parts are still there, for whoever else reads them.
 */
export function join(graph: Graph): Graph {
  const found = new Finder(graph);
  const nodes = graph.nodes.map((node) => found.layerNormalization(node) ?? found.unguarded(node) ?? node);
  return { ...graph, nodes };
}

class Finder {
  private readonly producers: ReadonlyMap<string, Node>;
  private readonly constants: ReadonlyMap<string, Initializer>;

  constructor(graph: Graph) {
    this.producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
    const constants = new Map(graph.initializers);
    for (const node of graph.nodes) {
      const [input, output] = [node.inputs[0], node.outputs[0]];
      // Equal weights are exported once, and named again.
      const constant = constantOf(node) ?? (node.op === "Identity" ? constants.get(input) : undefined);
      if (constant) constants.set(output, constant);
    }
    this.constants = constants;
  }

  // y = (x − mean x) / √(mean (x − mean x)² + ε) · s + b
  layerNormalization(add: Node): Node | undefined {
    if (add.op !== "Add") return undefined;
    const scaled = this.pair(add, (name) => this.isVector(name));
    const mul = scaled && this.made(scaled.other, "Mul");
    const normed = mul && this.pair(mul, (name) => this.isVector(name));
    const div = normed && this.made(normed.other, "Div");
    const x = div && this.centred(div.inputs[0]);
    const epsilon = x === undefined ? undefined : this.epsilonOf(div!.inputs[1], x);
    if (epsilon === undefined) return undefined;
    return {
      ...add,
      op: "LayerNormalization",
      inputs: [x!, normed!.found, scaled!.found],
      attributes: { axis: { kind: "int", value: -1 }, epsilon: { kind: "float", value: epsilon } },
    };
  }

  // y = p is not a number ? 0 : p, of a softmax p
  unguarded(where: Node): Node | undefined {
    if (where.op !== "Where") return undefined;
    const [condition, zero, value] = where.inputs;
    const guards = this.made(condition, "IsNaN")?.inputs[0] === value && this.made(value, "Softmax");
    if (!guards || this.numberOf(zero) !== 0) return undefined;
    return { ...where, op: "Identity", inputs: [value], attributes: {} };
  }

  /** What a value is the distance of from its mean over the last axis. */
  private centred(name: string): string | undefined {
    const sub = this.made(name, "Sub");
    const mean = sub && this.made(sub.inputs[1], "ReduceMean");
    return mean && mean.inputs[0] === sub.inputs[0] && this.isOverLast(mean) ? sub.inputs[0] : undefined;
  }

  /** ε of √(mean (x − mean x)² + ε). */
  private epsilonOf(name: string, x: string): number | undefined {
    const add = this.made(this.made(name, "Sqrt")?.inputs[0], "Add");
    const sum = add && this.pair(add, (each) => this.numberOf(each) !== undefined);
    const mean = sum && this.made(sum.other, "ReduceMean");
    const power = mean && this.isOverLast(mean) ? this.made(mean.inputs[0], "Pow") : undefined;
    const squares = power && this.numberOf(power.inputs[1]) === 2 && this.centred(power.inputs[0]) === x;
    return squares ? this.numberOf(sum!.found) : undefined;
  }

  private made(name: string | undefined, op: string): Node | undefined {
    const node = this.producers.get(name ?? "");
    return node?.op === op && !node.domain ? node : undefined;
  }

  /** The operand that is as asked for, and the other one. */
  private pair({ inputs: [a, b] }: Node, is: (name: string) => boolean) {
    if (is(b)) return { found: b, other: a };
    return is(a) ? { found: a, other: b } : undefined;
  }

  private isVector(name: string): boolean {
    return this.constants.get(name)?.shape.length === 1;
  }

  private isOverLast(node: Node): boolean {
    const listed = node.inputs[1] === undefined ? undefined : this.numberOf(node.inputs[1]);
    const axes = listed === undefined ? intsOf(node, "axes", []) : [listed];
    return axes.length === 1 && axes[0] === -1 && intOf(node, "keepdims", 1) === 1;
  }

  private numberOf(name: string): number | undefined {
    const constant = this.constants.get(name);
    if (!constant || sizeOf(constant.shape) !== 1 || constant.storage.kind !== "inline") return undefined;
    if (!["float32", "float64", "int64", "int32"].includes(constant.type)) return undefined;
    return toNumbers(fromBytes(constant.type, constant.shape, constant.storage.bytes))[0];
  }
}
