import { AppError } from "../../../errors.ts";
import type { Graph, Node } from "../../onnx/graph.ts";
import { readsOf } from "../../onnx/passes/prune.ts";

/** What values depend on, shapes aside: the names of graph inputs, by the names of values. */
export type Dependence = ReadonlyMap<string, ReadonlySet<string>>;

const NONE: ReadonlySet<string> = new Set();
const OF_SHAPE = new Set(["Shape", "Size", "ConstantOfShape", "EyeLike"]);

/** No tower has as many; every value may depend on all of them. */
const MOST_INPUTS = 64;
/** Of all sets of inputs together: most nodes depend on what their inputs depend on, and share a set. */
const MOST_ENTRIES = 1_000_000;

/**
 * Follows the values of the inputs, and of what else is named, through the graph. A shape is no value: it says nothing
 * of the pixels or the ids. Throws INVALID_GRAPH for a graph of more inputs than any tower has.
 */
export function dependenceOf(graph: Graph, cuts: readonly string[] = []): Dependence {
  if (graph.inputs.length > MOST_INPUTS) throw tooMany(graph);
  let entries = 0;
  const sources = [...graph.inputs.map(({ name }) => name), ...cuts];
  const found = new Map<string, ReadonlySet<string>>(sources.map((name) => [name, new Set([name])]));
  for (const node of graph.nodes) {
    const sets = OF_SHAPE.has(node.op) ? [] : valueReads(node).map((name) => found.get(name) ?? NONE);
    const reads = union(sets);
    if (!sets.includes(reads)) entries += reads.size;
    if (entries > MOST_ENTRIES) throw tooMany(graph);
    for (const name of node.outputs) if (!cuts.includes(name)) found.set(name, reads);
  }
  return found;
}

function tooMany({ name, inputs }: Graph): AppError {
  const message = `The graph "${name}" has ${inputs.length} inputs, mixed in more ways than those of any tower.`;
  return new AppError("INVALID_GRAPH", message);
}

/** How far an Expand goes is a shape too, like what a Reshape makes. */
function valueReads(node: Node): string[] {
  return node.op === "Reshape" || node.op === "Expand" ? node.inputs.slice(0, 1) : readsOf(node);
}

/** One of the sets where it holds the others: most nodes depend on what their inputs depend on. */
function union(sets: readonly ReadonlySet<string>[]): ReadonlySet<string> {
  let all = NONE;
  for (const set of sets) {
    if (holds(all, set)) continue;
    all = holds(set, all) ? set : new Set([...all, ...set]);
  }
  return all;
}

function holds(all: ReadonlySet<string>, some: ReadonlySet<string>): boolean {
  return some === all || [...some].every((name) => all.has(name));
}
