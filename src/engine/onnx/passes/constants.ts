import { AppError } from "../../../errors.ts";
import type { Graph, Initializer, Node } from "../graph.ts";
import { tensorOf, toInitializer } from "../tensor.ts";

/** Constants up to this many elements are worth holding inline; larger ones stay what makes them. */
export const LARGEST_FOLDED = 65_536;

/** Factors that are a weight of their own: one for each channel, or for each tap of its window. */
export const MOST_FACTORS = 64 * LARGEST_FOLDED;

/**
 * How many numbers a model may have written out at once: it says so itself, in a few bytes. Throws INVALID_GRAPH for
 * more than `most`, and for what is no number of them.
 */
export function writtenOut(count: number, most = LARGEST_FOLDED): number {
  if (Number.isInteger(count) && count >= 0 && count <= most) return count;
  const message = `It would write out ${count} numbers; models may have up to ${most} of them at once.`;
  throw new AppError("INVALID_GRAPH", message);
}

/**
 * Turns Constant nodes into initializers. Before: any graph. After: no Constant at the top level; names unchanged.
 */
export function liftConstants(graph: Graph): Graph {
  const lifted = graph.nodes.flatMap((node) => constantOf(node) ?? []);
  if (lifted.length === 0) return graph;
  const names = new Set(lifted.map(({ name }) => name));
  return withConstants(
    { ...graph, nodes: graph.nodes.filter((node) => node.op !== "Constant" || !names.has(node.outputs[0])) },
    lifted,
  );
}

/** Adds initializers and says what they are. */
export function withConstants(graph: Graph, constants: readonly Initializer[]): Graph {
  const described = constants.map(({ name, type, shape }) => [name, { name, type, shape }] as const);
  return {
    ...graph,
    initializers: new Map([...graph.initializers, ...constants.map((each) => [each.name, each] as const)]),
    values: new Map([...graph.values, ...described]),
  };
}

export function constantOf(node: Node): Initializer | undefined {
  if (node.op !== "Constant") return undefined;
  const [[, attribute]] = Object.entries(node.attributes);
  const [name] = node.outputs;
  switch (attribute.kind) {
    case "tensor":
      return { ...attribute.value, name };
    case "int":
      return toInitializer(name, tensorOf("int64", [], [attribute.value]));
    case "float":
      return toInitializer(name, tensorOf("float32", [], [attribute.value]));
    case "ints":
      return toInitializer(name, tensorOf("int64", [attribute.value.length], attribute.value));
    case "floats":
      return toInitializer(name, tensorOf("float32", [attribute.value.length], attribute.value));
    default:
      return undefined;
  }
}
