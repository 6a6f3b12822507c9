import { floatOf } from "../../onnx/attributes.ts";
import type { Graph, Node } from "../../onnx/graph.ts";
import { LARGEST_LOGIT_SCALE } from "../logit-scale.ts";
import type { Dependence } from "./dependence.ts";
import { constantNumber } from "./pooling.ts";
import { similarityProduct } from "./ports.ts";

/** No trained factor is so small, and CLIP keeps its logarithm below log 100. */
const LARGEST_LOGARITHM = 4.7;

/** Factors that are looked into; each takes a walk through the graph. */
const MOST_TRIED = 64;

/**
 * The factor of the cosines as an export has it: an output of that name, or the number by which similarities or the
 * features that make them are multiplied. Undefined where there is none, or none that can be of use.
 */
export function exportedLogitScale(graph: Graph, dependence: Dependence): number | undefined {
  const scale = graph.outputs.find(({ name }) => /logit_?scale/i.test(name));
  const named = scale && numberOf(graph, dependence, scale.name);
  const value = named === undefined ? ofSimilarity(graph, dependence) : exponentiated(named);
  return value !== undefined && value > 0 && value <= LARGEST_LOGIT_SCALE ? value : undefined;
}

function ofSimilarity(graph: Graph, dependence: Dependence): number | undefined {
  const product = similarityProduct(graph, dependence);
  if (!product) return undefined;
  const alpha = floatOf(product, "alpha", 1);
  if (alpha !== 1) return alpha;
  const before = producersOf(graph, product);
  const near = [
    ...reachable(graph, product),
    ...before.flatMap((each) => [each, ...producersOf(graph, each)]),
  ];
  const scaling = near.filter(({ op }) => op === "Mul" || op === "Div");
  for (const node of scaling.slice(0, MOST_TRIED)) {
    const factor = node.inputs
      .map((name) => numberOf(graph, dependence, name))
      .find((value) => value !== undefined);
    if (factor !== undefined) return node.op === "Div" ? 1 / factor : factor;
  }
  return undefined;
}

function producersOf(graph: Graph, node: Node): Node[] {
  const read = new Set(node.inputs.slice(0, 2));
  return graph.nodes.filter(({ outputs }) => outputs.some((name) => read.has(name)));
}

/** Nodes that read what a node makes, and so on. */
function reachable(graph: Graph, from: Node): Node[] {
  const made = new Set(from.outputs);
  return graph.nodes.filter((node) => {
    const reads = node.inputs.some((name) => made.has(name));
    if (reads) for (const name of node.outputs) made.add(name);
    return reads;
  });
}

function numberOf(graph: Graph, dependence: Dependence, name: string): number | undefined {
  return (dependence.get(name)?.size ?? 0) > 0 ? undefined : constantNumber(graph, name);
}

/** What an output named like the parameter holds: the parameter's exponential, or the parameter itself. */
function exponentiated(value: number): number {
  return value <= LARGEST_LOGARITHM ? Math.exp(value) : value;
}
