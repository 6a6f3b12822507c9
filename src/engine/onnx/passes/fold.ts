import type { Graph, Node } from "../graph.ts";
import { sizeOf, type Tensor, toInitializer } from "../tensor.ts";
import { LARGEST_FOLDED, liftConstants, withConstants } from "./constants.ts";
import { prune, readsOf } from "./prune.ts";

/** Computes all outputs of a graph that has no inputs. */
export type Evaluate = (graph: Graph) => Promise<Readonly<Record<string, Tensor>>>;

/**
 * Computes what depends on inline constants alone. Before: types and static shapes of all values are known. After:
 * the same function of the inputs; no node reads only inline constants, unless its result is large or an output.
 * Weights in files are left alone.
 */
export async function fold(graph: Graph, evaluate: Evaluate): Promise<Graph> {
  const lifted = liftConstants(graph);
  const folded = constantNodes(lifted);
  if (folded.length === 0) return prune(lifted);
  const wanted = frontier(lifted, folded);
  const results = await evaluate(
    prune({ ...lifted, name: "constants", inputs: [], nodes: folded, outputs: wanted }),
  );
  const computed = wanted.map(({ name }) => toInitializer(name, results[name]));
  const gone = new Set(folded);
  return prune(withConstants({ ...lifted, nodes: lifted.nodes.filter((node) => !gone.has(node)) }, computed));
}

/** Ops whose results differ from run to run. */
const RANDOM = /^(Random|Multinomial|Bernoulli)/;

function constantNodes(graph: Graph): Node[] {
  const inline = [...graph.initializers.values()].filter(({ storage }) => storage.kind === "inline");
  const constant = new Set(inline.map(({ name }) => name));
  const results = new Set(graph.outputs.map((wire) => wire.name));
  return graph.nodes.filter((node) => {
    const known = node.outputs.every((name) => {
      const wire = graph.values.get(name);
      return wire !== undefined && !results.has(name) && sizeOf(wire.shape) <= LARGEST_FOLDED;
    });
    const folds = known && !RANDOM.test(node.op) && readsOf(node).every((name) => constant.has(name));
    if (folds) for (const name of node.outputs) constant.add(name);
    return folds;
  });
}

/** What the rest of the graph reads of the folded nodes. */
function frontier(graph: Graph, folded: readonly Node[]) {
  const inside = new Set(folded);
  const read = new Set(graph.nodes.filter((node) => !inside.has(node)).flatMap(readsOf));
  const made = folded.flatMap((node) => node.outputs).filter((name) => read.has(name));
  return made.flatMap((name) => graph.values.get(name) ?? []);
}
