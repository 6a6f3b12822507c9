import { AppError } from "../../errors.ts";
import { intOf } from "./attributes.ts";
import type { Graph, Node, Shape, Wire } from "./graph.ts";
import { elementBytes, sizeOf } from "./tensor.ts";

/** What one run of a graph takes, counted from its shapes; nothing is run. */
export interface Cost {
  /** Additions, multiplications and the like of every node; a multiply-add counts as two. */
  readonly flops: number;
  /** The part of them that matrix products and convolutions make: what a machine's peak is measured by. */
  readonly productFlops: number;
  /** Nodes that compute or move something. */
  readonly operators: number;
  /** Bytes that nodes read and write, as if nothing stayed in a cache. */
  readonly bytesMoved: number;
  /** Most bytes of values that have to exist at once, the inputs among them, in the order of the nodes. */
  readonly peakActivationBytes: number;
  /** Bytes of the constants that nodes read, with those that follow from weights alone already computed. */
  readonly weightBytes: number;
}

/**
 * Counts the work of a graph whose types and static shapes are known (as a builder or `specialise` leaves it; an open
 * batch counts as the size it was built with). What depends on constants alone is computed when a program is
 * compiled, so it costs nothing here. Throws INVALID_GRAPH for a value of unknown shape.
 */
export function costOf(graph: Graph): Cost {
  const wires = (names: readonly string[]): Wire[] =>
    names.flatMap((name) => (name ? wireOf(graph, name) : []));
  const constant = constantValues(graph);
  const running = graph.nodes.filter((node) => node.outputs.some((name) => name && !constant.has(name)));
  const cost = { flops: 0, productFlops: 0, bytesMoved: 0 };
  for (const node of running) {
    const [read, made] = [wires(node.inputs), wires(node.outputs)];
    const work = flopsOfNode(node, read, made);
    cost.flops += work;
    if (PRODUCTS.has(node.op)) cost.productFlops += work;
    if (!VIEWS.has(node.op)) cost.bytesMoved += bytesOfAll([...read, ...made]);
  }
  const weights = new Set(running.flatMap((node) => node.inputs).filter((name) => constant.has(name)));
  return {
    ...cost,
    operators: running.filter(({ op }) => !VIEWS.has(op)).length,
    peakActivationBytes: peakBytes(graph, running, constant),
    weightBytes: bytesOfAll(wires([...weights])),
  };
}

/** Floating-point operations of one run; see `costOf`. */
export const flopsOf = (graph: Graph): number => costOf(graph).flops;

const PRODUCTS = new Set(["MatMul", "Gemm", "Conv", "ConvTranspose"]);

/** Operators that give their input another shape and move nothing. */
const VIEWS = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"]);

/** Operators that move or choose elements and compute nothing. */
const MOVES = new Set([
  ...VIEWS,
  ..."Transpose Slice Concat Split Expand Pad Gather GatherElements GatherND".split(" "),
  ..."Resize DepthToSpace Cast Shape Size ConstantOfShape".split(" "),
]);

/** Operations for each element of the input, where more than one. */
const PER_ELEMENT: Readonly<Record<string, number>> = {
  Softmax: 5,
  LogSoftmax: 5,
  LayerNormalization: 8,
  BatchNormalization: 2,
};

function flopsOfNode(node: Node, read: readonly Wire[], [made]: readonly Wire[]): number {
  const [x, weight] = read;
  switch (node.op) {
    case "MatMul":
      return 2 * sizeOf(made.shape) * x.shape[x.shape.length - 1];
    case "Gemm":
      return 2 * sizeOf(made.shape) * x.shape[intOf(node, "transA", 0) === 1 ? 0 : 1];
    // Every output pixel sees a window of C/group channels; in a transposed convolution every input pixel does.
    case "Conv":
      return 2 * sizeOf(made.shape) * sizeOf(weight.shape.slice(1));
    case "ConvTranspose":
      return 2 * sizeOf(x.shape) * sizeOf(weight.shape.slice(1));
  }
  if (MOVES.has(node.op)) return 0;
  const largest = Math.max(...[...read, made].map((wire) => sizeOf(wire.shape)));
  return largest * (PER_ELEMENT[node.op] ?? 1);
}

/** Names of what follows from constants alone, the constants among them. */
function constantValues(graph: Graph): Set<string> {
  const constant = new Set(graph.initializers.keys());
  for (const node of graph.nodes)
    if (node.inputs.every((name) => name === "" || constant.has(name)))
      for (const name of node.outputs) constant.add(name);
  return constant;
}

/** The largest sum of values that are made already and read later; a view counts with what it shows. */
function peakBytes(graph: Graph, nodes: readonly Node[], constant: ReadonlySet<string>): number {
  const source = new Map<string, string>();
  const shown = (name: string): string => source.get(name) ?? name;
  for (const node of nodes) if (VIEWS.has(node.op)) source.set(node.outputs[0], shown(node.inputs[0]));
  const last = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const name of [...node.inputs, ...node.outputs]) last.set(shown(name), index);
  });
  for (const { name } of [...graph.inputs, ...graph.outputs]) last.set(shown(name), nodes.length);
  const bytes = (name: string): number => bytesOfAll([wireOf(graph, name)]);
  let live = bytesOfAll(graph.inputs);
  let peak = live;
  nodes.forEach((node, index) => {
    const stored = (name: string): boolean => name !== "" && !constant.has(name);
    for (const name of node.outputs) if (stored(name) && shown(name) === name) live += bytes(name);
    peak = Math.max(peak, live);
    for (const name of new Set([...node.inputs, ...node.outputs].filter(stored).map(shown)))
      if (last.get(name) === index) live -= bytes(name);
  });
  return peak;
}

function bytesOfAll(wires: readonly Wire[]): number {
  return wires.reduce((sum, { type, shape }) => sum + elementBytes(type) * sizeOf(shape), 0);
}

function wireOf(graph: Graph, name: string): Wire {
  const wire = graph.values.get(name) ?? graph.initializers.get(name);
  if (wire && isStatic(wire.shape)) return wire;
  throw new AppError(
    "INVALID_GRAPH",
    `The shape of "${name}" in "${graph.name}" is unknown; specialise first.`,
    {
      name,
    },
  );
}

const isStatic = (shape: Shape): boolean => shape.every((size) => size >= 0);
