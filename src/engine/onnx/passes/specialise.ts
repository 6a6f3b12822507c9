import { AppError } from "../../../errors.ts";
import type { Graph, Node, Shape, Wire } from "../graph.ts";
import { UNKNOWN_SHAPE } from "../shapes.ts";
import { sizeOf, type Tensor, tensorOf, toInitializer, toNumbers } from "../tensor.ts";
import { LARGEST_FOLDED, liftConstants, withConstants } from "./constants.ts";
import { elementTypes } from "./element-types.ts";
import { inlineIf } from "./inline.ts";
import { prune, readsOf } from "./prune.ts";

export type Tensors = Readonly<Record<string, Tensor>>;

export interface SpecialiseOptions {
  /** Static shapes of the inputs whose own are open, by name. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** Runs a graph once and gives all of its outputs. */
  readonly run: (graph: Graph, feeds: Tensors) => Promise<Tensors>;
}

/**
 * Fixes the input shapes of an imported graph and learns everything else from a probe run on zeros.
 * Before: any decoded graph whose control flow depends on shapes alone. After: inputs have the given shapes, the
 * type and static shape of every value is known, each If is replaced by the branch taken, and what depends only on
 * shapes and constants is a constant (large results excepted). Throws INVALID_GRAPH where that cannot be done.
 */
export async function specialise(graph: Graph, { shapes, run }: SpecialiseOptions): Promise<Graph> {
  const fixed = liftConstants(withShapes(graph, shapes));
  const feeds = Object.fromEntries(
    fixed.inputs.map(({ name, type, shape }) => [name, tensorOf(type, shape)]),
  );
  const flat = await inlineBranches(fixed, (probe) => run(probe, feeds));
  const results = await run(
    probing(
      flat,
      flat.nodes.flatMap((node) => node.outputs),
    ),
    feeds,
  );
  const values = new Map<string, Wire>();
  for (const { name, type, shape } of [...flat.inputs, ...flat.initializers.values()])
    values.set(name, { name, type, shape });
  for (const [name, { type, shape }] of Object.entries(results)) values.set(name, { name, type, shape });
  const outputs = flat.outputs.map((wire) => values.get(wire.name) ?? wire);
  return prune(withKnown({ ...flat, outputs, values }, results));
}

function withShapes(graph: Graph, shapes: Readonly<Record<string, Shape>>): Graph {
  const inputs = graph.inputs.map((wire) => {
    const shape = shapes[wire.name] ?? wire.shape;
    const agrees =
      shape.length === wire.shape.length &&
      shape.every((size, axis) => [-1, size].includes(wire.shape[axis]));
    if (!agrees || shape.some((size) => size < 0))
      throw new AppError(
        "INVALID_GRAPH",
        `Input "${wire.name}" of "${graph.name}" has shape [${wire.shape}]; give it a fitting one without open dimensions.`,
        { input: wire.name, shape },
      );
    return { ...wire, shape };
  });
  return { ...graph, inputs, values: new Map() };
}

async function inlineBranches(graph: Graph, run: (probe: Graph) => Promise<Tensors>): Promise<Graph> {
  const branches = graph.nodes.filter((node) => node.op === "If");
  if (branches.length === 0) return withoutControlFlow(graph);
  const fixed = shapeDependent(graph);
  const undecided = branches.find((node) => !fixed.has(node.inputs[0]));
  if (undecided)
    throw new AppError(
      "INVALID_GRAPH",
      `If (node "${undecided.name}") depends on data, not on shapes alone.`,
      {
        node: undecided.name,
      },
    );
  const conditions = await run(
    prune(
      probing(
        graph,
        branches.map((node) => node.inputs[0]),
      ),
    ),
  );
  const inlined = branches.reduce((current, node) => {
    const known = conditions[node.inputs[0]];
    return inlineIf(current, node, toNumbers(known)[0] !== 0);
  }, graph);
  return inlineBranches(liftConstants(inlined), run);
}

function withoutControlFlow(graph: Graph): Graph {
  const node = graph.nodes.find(({ attributes }) =>
    Object.values(attributes).some(({ kind }) => kind === "graph"),
  );
  if (!node) return graph;
  throw new AppError(
    "INVALID_GRAPH",
    `${node.op} (node "${node.name}") runs a subgraph; only If can be resolved.`,
    {
      op: node.op,
      node: node.name,
    },
  );
}

/** The graph with other outputs, whose shapes the run will tell. */
function probing(graph: Graph, names: readonly string[]): Graph {
  const types = elementTypes(graph);
  const wanted = [...new Set(names)].filter((name) => name !== "");
  const outputs = wanted.map((name) => ({ name, type: types.get(name) ?? "float32", shape: UNKNOWN_SHAPE }));
  return { ...graph, name: "probe", outputs, values: new Map() };
}

/** Names of values that are the same for all data of these shapes. */
function shapeDependent(graph: Graph): Set<string> {
  const fixed = new Set(graph.initializers.keys());
  for (const node of graph.nodes)
    if (isShape(node) || (!/^Random/.test(node.op) && readsOf(node).every((name) => fixed.has(name))))
      for (const name of node.outputs) fixed.add(name);
  return fixed;
}

function isShape(node: Node): boolean {
  return node.op === "Shape" || node.op === "Size";
}

/** Replaces the nodes whose results are now known by those results. */
function withKnown(graph: Graph, results: Tensors): Graph {
  const fixed = shapeDependent(graph);
  const kept = new Set(graph.outputs.map((wire) => wire.name));
  const isKnown = (node: Node): boolean =>
    node.outputs.every(
      (name) => fixed.has(name) && !kept.has(name) && sizeOf(results[name]?.shape ?? []) <= LARGEST_FOLDED,
    );
  const known = graph.nodes.filter(isKnown);
  const constants = known.flatMap((node) =>
    node.outputs.filter((name) => name !== "").map((name) => toInitializer(name, results[name])),
  );
  const gone = new Set(known);
  return withConstants({ ...graph, nodes: graph.nodes.filter((node) => !gone.has(node)) }, constants);
}
