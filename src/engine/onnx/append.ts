import { AppError } from "../../errors.ts";
import { type BuilderOptions, GraphBuilder } from "./builder.ts";
import type { Graph, Node, Wire } from "./graph.ts";

/** Writes one node as others and returns what stands for its outputs; undefined keeps the node. */
export type Rewrite = (g: GraphBuilder, node: Node, inputs: readonly Wire[]) => readonly Wire[] | undefined;

/**
 * Appends a whole graph to another: its inputs are bound to values by name, and its outputs are returned in order.
 * Before: types and static shapes of all values are known, and no node has a subgraph (`specialise` sees to both).
 */
export function append(
  g: GraphBuilder,
  graph: Graph,
  bindings: Readonly<Record<string, Wire>>,
  rewrite: Rewrite = () => undefined,
): Wire[] {
  const wires = new Map<string, Wire>(Object.entries(bindings));
  const known = (name: string): Wire => {
    const wire = wires.get(name);
    if (wire) return wire;
    throw new AppError("INVALID_GRAPH", `Value "${name}" of graph "${graph.name}" is unbound or unknown.`, {
      name,
    });
  };
  for (const { name, type, shape, storage } of graph.initializers.values())
    wires.set(name, g.initializer(g.freeName(name), type, shape, storage));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : known(name)) as Wire);
    const made =
      rewrite(g, node, inputs) ?? g.node(node.op, inputs, node.attributes, describedOutputs(graph, node));
    node.outputs.forEach((name, index) => void wires.set(name, made[index]));
  }
  return graph.outputs.map(({ name }) => known(name));
}

function describedOutputs(graph: Graph, node: Node): Wire[] {
  return node.outputs.map((name) => {
    const wire = graph.values.get(name);
    if (wire) return wire;
    throw new AppError(
      "INVALID_GRAPH",
      `The shape of "${name}" (node "${node.name}") is unknown; specialise first.`,
      {
        name,
      },
    );
  });
}

/** A builder that holds a graph already, and the values by the names of its inputs and outputs. */
export function builderOf(
  graph: Graph,
  options: BuilderOptions = {},
): { g: GraphBuilder; inputs: Readonly<Record<string, Wire>>; outputs: Readonly<Record<string, Wire>> } {
  const g = new GraphBuilder({ name: graph.name, opset: graph.opset, ...options });
  const inputs = Object.fromEntries(
    graph.inputs.map(({ name, shape, type }) => [name, g.input(name, shape, type)]),
  );
  const made = append(g, graph, inputs);
  const outputs = Object.fromEntries(graph.outputs.map(({ name }, index) => [name, made[index]]));
  return { g, inputs, outputs };
}
