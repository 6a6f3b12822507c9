import type { Graph, Initializer, Node } from "../graph.ts";

/**
 * Replaces one If by the branch that its condition chooses. Before: the node is an If at the top level. After: the
 * branch's nodes stand in its place, their inner names prefixed by the node's, and its outputs keep their names.
 */
export function inlineIf(graph: Graph, node: Node, condition: boolean): Graph {
  const branch = node.attributes[condition ? "then_branch" : "else_branch"];
  if (branch?.kind !== "graph") return graph;
  const inner = branch.value;
  const renamed = renaming(inner, `${node.name}/`);
  const results = inner.outputs.map(({ name }, index) =>
    forward(`${node.name}/${index}`, renamed(name), node.outputs[index]),
  );
  const nodes = inner.nodes.map((each) => renameNode(each, renamed, `${node.name}/`));
  const position = graph.nodes.indexOf(node);
  const constants = [...inner.initializers.values()].map((each): [string, Initializer] => {
    const name = renamed(each.name);
    return [name, { ...each, name }];
  });
  return {
    ...graph,
    nodes: graph.nodes.toSpliced(position, 1, ...nodes, ...results),
    initializers: new Map([...graph.initializers, ...constants]),
  };
}

function forward(name: string, from: string, to: string): Node {
  return { op: "Identity", name, inputs: [from], outputs: [to], attributes: {} };
}

/** Prefixes what the graph makes itself; what it sees of the outer graph keeps its name. */
function renaming(graph: Graph, prefix: string): (name: string) => string {
  const own = new Set([...graph.nodes.flatMap((node) => node.outputs), ...graph.initializers.keys()]);
  return (name) => (name !== "" && own.has(name) ? `${prefix}${name}` : name);
}

function renameNode(node: Node, renamed: (name: string) => string, prefix: string): Node {
  const attributes = Object.entries(node.attributes).map(([name, attribute]) => [
    name,
    attribute.kind === "graph" ? { kind: "graph", value: renameReads(attribute.value, renamed) } : attribute,
  ]);
  return {
    ...node,
    name: `${prefix}${node.name}`,
    inputs: node.inputs.map(renamed),
    outputs: node.outputs.map(renamed),
    attributes: Object.fromEntries(attributes),
  };
}

/** A nested graph, reading the renamed values of the one around it. */
function renameReads(graph: Graph, renamed: (name: string) => string): Graph {
  const own = new Set([...graph.nodes.flatMap((node) => node.outputs), ...graph.initializers.keys()]);
  const outer = (name: string): string => (own.has(name) ? name : renamed(name));
  return {
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...renameNode(node, outer, ""), outputs: node.outputs })),
    outputs: graph.outputs.map((wire) => ({ ...wire, name: outer(wire.name) })),
  };
}
