import type { Attribute, Graph, Initializer, Node } from "../graph.ts";
import { nestedReads, prune } from "./prune.ts";

/** Constants beyond this many bytes are not compared. */
const LARGEST_COMPARED = 65_536;

const RANDOM = /^(Random|Multinomial|Bernoulli|Dropout)/;

/**
 * Computes equal things once. Before: any graph in topological order. After: the same function; no two nodes have
 * equal operators, attributes and inputs, unless one of them makes an output of the graph or a value that a subgraph reads.
 */
export function dedupe(graph: Graph): Graph {
  const replaced = new Map<string, string>();
  const seen = new Map<string, readonly string[]>();
  const kept = new Set([...graph.outputs.map((wire) => wire.name), ...graph.nodes.flatMap(nestedReads)]);
  const renamed = (name: string): string => replaced.get(name) ?? name;
  const merge = (key: string, names: readonly string[]): boolean => {
    const first = seen.get(key);
    if (!first) seen.set(key, names);
    else names.forEach((name, index) => void replaced.set(name, first[index]));
    return first !== undefined;
  };
  for (const initializer of graph.initializers.values()) {
    const key = constantKey(initializer);
    if (key !== undefined && !kept.has(initializer.name)) merge(key, [initializer.name]);
  }
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const rewired = { ...node, inputs: node.inputs.map(renamed) };
    const key = nodeKey(rewired);
    if (key === undefined || node.outputs.some((name) => kept.has(name))) return [rewired];
    return merge(key, node.outputs) ? [] : [rewired];
  });
  return prune({ ...graph, nodes });
}

function constantKey({ type, shape, storage }: Initializer): string | undefined {
  const where = `${type}[${shape}]`;
  if (storage.kind === "file") return `${where} ${storage.file} ${storage.offset} ${storage.length}`;
  if (storage.bytes.length > LARGEST_COMPARED) return undefined;
  return `${where} ${Buffer.from(storage.bytes).toString("base64")}`;
}

/** Undefined for a node that must stay: random, with a subgraph, or with a constant too large to compare. */
function nodeKey(node: Node): string | undefined {
  const attributes = Object.entries(node.attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (RANDOM.test(node.op) || attributes.some(([, { kind }]) => kind === "graph")) return undefined;
  const shown = attributes.map(([name, attribute]) => [name, attributeKey(attribute)]);
  if (shown.some(([, value]) => value === undefined)) return undefined;
  return JSON.stringify([node.op, node.inputs, node.outputs.length, shown]);
}

function attributeKey(attribute: Attribute): unknown {
  return attribute.kind === "tensor" ? constantKey(attribute.value) : attribute.value;
}
