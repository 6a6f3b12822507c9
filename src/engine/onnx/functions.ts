import { AppError } from "../../errors.ts";
import type { Attribute, Graph, Node } from "./graph.ts";

/** An operator that a model brings along, as nodes. */
export interface DecodedFunction {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly Node[];
  /** Attributes where the calling node gives none. */
  readonly defaults: Readonly<Record<string, Attribute>>;
}

type Functions = ReadonlyMap<string, DecodedFunction>;

/** Calls within calls; more is a circle. */
const DEEPEST_CALL = 32;
/** More than any network has; functions that call each other twice grow without bounds. */
const MOST_NODES = 200_000;

/**
 * Writes calls of a model's own functions as the nodes that they stand for. Before: any decoded graph. After: no node
 * is a call. Throws INVALID_GRAPH for functions that call each other in a circle.
 */
export function inlineFunctions(graph: Graph, functions: readonly DecodedFunction[]): Graph {
  const table = new Map(functions.map((each) => [keyOf(each), each]));
  const budget = { nodes: MOST_NODES };
  return { ...graph, nodes: inlined(graph.nodes, table, 0, budget) };
}

function keyOf({ domain = "", op }: { readonly domain?: string; readonly op: string }): string {
  return `${domain}::${op}`;
}

function inlined(
  nodes: readonly Node[],
  functions: Functions,
  depth: number,
  budget: { nodes: number },
): Node[] {
  if (depth > DEEPEST_CALL)
    throw new AppError("INVALID_GRAPH", "The model's functions call each other in a circle.");
  return nodes.flatMap((node) => {
    const called = functions.get(keyOf(node));
    budget.nodes -= 1;
    if (budget.nodes < 0) throw new AppError("INVALID_GRAPH", `The model has more than ${MOST_NODES} nodes.`);
    if (called) return inlined(bodyOf(called, node), functions, depth + 1, budget);
    return [
      withSubgraphs(node, (inner) => ({ ...inner, nodes: inlined(inner.nodes, functions, depth, budget) })),
    ];
  });
}

/** The function's nodes with the caller's values and attributes in place of its own. */
function bodyOf(called: DecodedFunction, call: Node): Node[] {
  const names = new Map<string, string>([["", ""]]);
  called.inputs.forEach((name, index) => void names.set(name, call.inputs[index] ?? ""));
  const passed = called.nodes.flatMap((node) => node.outputs);
  called.outputs.forEach((name, index) => {
    if (passed.includes(name) && call.outputs[index]) names.set(name, call.outputs[index]);
  });
  const rename = (name: string): string => names.get(name) ?? `${call.name}/${name}`;
  const given = { ...called.defaults, ...call.attributes };
  const nodes = called.nodes.map((node) => bound(node, rename, given, call.name));
  const forwards = called.outputs.flatMap((name, index): Node[] =>
    passed.includes(name) || !call.outputs[index]
      ? []
      : [
          {
            op: "Identity",
            name: `${call.name}/${index}`,
            inputs: [rename(name)],
            outputs: [call.outputs[index]],
            attributes: {},
          },
        ],
  );
  return [...nodes, ...forwards];
}

function bound(
  node: Node,
  rename: (name: string) => string,
  given: Readonly<Record<string, Attribute>>,
  prefix: string,
): Node {
  const attributes = Object.entries(node.attributes).flatMap(([name, attribute]): [string, Attribute][] => {
    const value = attribute.kind === "reference" ? given[attribute.value] : attribute;
    return value ? [[name, value]] : [];
  });
  const plain: Node = {
    ...node,
    name: `${prefix}/${node.name}`,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: Object.fromEntries(attributes),
  };
  return withSubgraphs(plain, (inner) => ({
    ...inner,
    nodes: inner.nodes.map((each) => bound(each, rename, given, prefix)),
    initializers: new Map(
      [...inner.initializers].map(([name, each]) => [rename(name), { ...each, name: rename(name) }]),
    ),
    outputs: inner.outputs.map((wire) => ({ ...wire, name: rename(wire.name) })),
  }));
}

function withSubgraphs(node: Node, map: (graph: Graph) => Graph): Node {
  if (!Object.values(node.attributes).some(({ kind }) => kind === "graph")) return node;
  const attributes = Object.entries(node.attributes).map(([name, attribute]) => [
    name,
    attribute.kind === "graph" ? { kind: "graph", value: map(attribute.value) } : attribute,
  ]);
  return { ...node, attributes: Object.fromEntries(attributes) };
}
