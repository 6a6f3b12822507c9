import type { Graph, Node } from "../graph.ts";

/** Names that the subgraphs in a node's attributes read, their own values included. */
export function nestedReads(node: Node): string[] {
  return Object.values(node.attributes).flatMap((attribute) =>
    attribute.kind === "graph"
      ? [...attribute.value.nodes.flatMap(readsOf), ...attribute.value.outputs.map((wire) => wire.name)]
      : [],
  );
}

/** Names that a node reads, by itself or in a subgraph. */
export function readsOf(node: Node): string[] {
  return [...node.inputs.filter((name) => name !== ""), ...nestedReads(node)];
}

/**
 * Keeps what the outputs need. Before: any graph in topological order. After: every node and constant is
 * an ancestor of an output, and only what is there is described; inputs and outputs are untouched.
 */
export function prune(graph: Graph): Graph {
  const needed = new Set(graph.outputs.map((wire) => wire.name));
  const nodes = graph.nodes
    .toReversed()
    .filter((node) => {
      const alive = node.outputs.some((name) => needed.has(name));
      if (alive) for (const name of readsOf(node)) needed.add(name);
      return alive;
    })
    .toReversed()
    .map((node) => withoutUnreadOutputs(node, needed));
  for (const name of [...graph.inputs.map((wire) => wire.name), ...nodes.flatMap((node) => node.outputs)])
    needed.add(name);
  return {
    ...graph,
    nodes,
    initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name))),
    values: new Map([...graph.values].filter(([name]) => needed.has(name))),
  };
}

/** Ops whose later outputs are optional; elsewhere the number of outputs means something (Split). */
const OPTIONAL_OUTPUTS = new Set(["LayerNormalization", "BatchNormalization", "Dropout"]);

function withoutUnreadOutputs(node: Node, needed: ReadonlySet<string>): Node {
  if (!OPTIONAL_OUTPUTS.has(node.op)) return node;
  const last = node.outputs.findLastIndex((name) => needed.has(name));
  return { ...node, outputs: node.outputs.slice(0, last + 1) };
}
