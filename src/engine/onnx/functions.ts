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
export const MOST_NODES = 200_000;
/** Inputs, outputs and attributes of all of them. */
const MOST_PARTS = 2_000_000;

/** What is left of both, and how many calls there were. */
interface Budget {
  nodes: number;
  parts: number;
  calls: number;
}

/**
 * Writes calls of a model's own functions as the nodes that they stand for. Before: any decoded graph. After: no node
 * is a call. Values within functions get new names, which no other call has. Throws INVALID_GRAPH for functions that
 * call each other in a circle, or that grow without bounds.
 */
export function inlineFunctions(graph: Graph, functions: readonly DecodedFunction[]): Graph {
  const table = new Map(functions.map((each) => [keyOf(each), each]));
  const budget = { nodes: MOST_NODES, parts: MOST_PARTS, calls: 0 };
  return { ...graph, nodes: inlined(graph.nodes, table, 0, budget) };
}

function keyOf({ domain = "", op }: { readonly domain?: string; readonly op: string }): string {
  return `${domain}::${op}`;
}

function inlined(nodes: readonly Node[], functions: Functions, depth: number, budget: Budget): Node[] {
  if (depth > DEEPEST_CALL)
    throw new AppError("INVALID_GRAPH", "The model's functions call each other in a circle.");
  return nodes.flatMap((node) => {
    const called = functions.get(keyOf(node));
    budget.nodes -= 1;
    budget.parts -= partsOf(node) + (called ? signatureOf(called) : 0);
    if (budget.nodes < 0) throw new AppError("INVALID_GRAPH", `The model has more than ${MOST_NODES} nodes.`);
    if (budget.parts < 0)
      throw new AppError("INVALID_GRAPH", "The model's nodes have too many inputs or attributes.");
    if (called) return inlined(bodyOf(called, node, budget), functions, depth + 1, budget);
    return [
      withSubgraphs(node, (inner) => ({ ...inner, nodes: inlined(inner.nodes, functions, depth, budget) })),
    ];
  });
}

function partsOf({ inputs, outputs, attributes }: Node): number {
  const all = Object.values(attributes);
  const nested = all.map((each) =>
    each.kind === "graph" ? each.value.initializers.size + each.value.outputs.length : 0,
  );
  return nested.reduce((sum, count) => sum + count, inputs.length + outputs.length + all.length);
}

/** What every call goes through, whatever its nodes are. */
function signatureOf({ inputs, outputs, defaults }: DecodedFunction): number {
  return inputs.length + outputs.length + Object.keys(defaults).length;
}

/** The function's nodes with the caller's values and attributes in place of its own. */
function bodyOf(called: DecodedFunction, call: Node, budget: Budget): Node[] {
  budget.calls += 1;
  const prefix = `call ${budget.calls}`;
  const names = new Map<string, string>([["", ""]]);
  called.inputs.forEach((name, index) => void names.set(name, call.inputs[index] ?? ""));
  const passed = new Set(called.nodes.flatMap((node) => node.outputs));
  called.outputs.forEach((name, index) => {
    if (passed.has(name) && call.outputs[index]) names.set(name, call.outputs[index]);
  });
  // The names that call and function give would grow with every call within a call.
  const rename = (name: string): string => {
    const known = names.get(name) ?? `${prefix}/${names.size}`;
    names.set(name, known);
    return known;
  };
  const given = { ...called.defaults, ...call.attributes };
  const nodes = called.nodes.map((node, index) => bound(node, rename, given, `${prefix}/${index}`));
  const forwards = called.outputs.flatMap((name, index): Node[] =>
    passed.has(name) || !call.outputs[index]
      ? []
      : [
          {
            op: "Identity",
            name: `${prefix}/output ${index}`,
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
  name: string,
): Node {
  const attributes = Object.entries(node.attributes).flatMap(([key, attribute]): [string, Attribute][] => {
    const value = attribute.kind === "reference" ? given[attribute.value] : attribute;
    return value ? [[key, value]] : [];
  });
  const plain: Node = {
    ...node,
    name,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: Object.fromEntries(attributes),
  };
  return withSubgraphs(plain, (inner) => ({
    ...inner,
    nodes: inner.nodes.map((each, index) => bound(each, rename, given, `${name}/${index}`)),
    initializers: new Map(
      [...inner.initializers].map(([key, each]) => [rename(key), { ...each, name: rename(key) }]),
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
