import { floatOf } from "../../onnx/attributes.ts";
import type { Graph, Node } from "../../onnx/graph.ts";
import type { Dependence } from "./dependence.ts";
import { constantNumber } from "./pooling.ts";
import { similarityProduct } from "./ports.ts";

/** No trained factor is so small, and CLIP keeps its logarithm below log 100. */
const LARGEST_LOGARITHM = 4.7;

/**
 * The factor of the cosines as an export has it: an output of that name, or the number by which similarities or the
 * features that make them are multiplied. Undefined where there is none.
 */
export function exportedLogitScale(graph: Graph, dependence: Dependence): number | undefined {
  const scale = graph.outputs.find(({ name }) => /logit_?scale/i.test(name));
  const named = scale && numberOf(graph, dependence, scale.name);
  const value = named === undefined ? ofSimilarity(graph, dependence) : exponentiated(named);
  if (value === undefined || !Number.isFinite(value) || value <= 0) return undefined;
  return value;
}

function ofSimilarity(graph: Graph, dependence: Dependence): number | undefined {
  const product = similarityProduct(graph, dependence);
  if (!product) return undefined;
  const alpha = floatOf(product, "alpha", 1);
  if (alpha !== 1) return alpha;
  const before = graph.nodes.filter(({ outputs }) => outputs.some((name) => product.inputs.includes(name)));
  const after = reachable(graph, product);
  for (const node of [...after, ...before.flatMap((each) => [each, ...producersOf(graph, each)])]) {
    if (node.op !== "Mul" && node.op !== "Div") continue;
    const factor = node.inputs
      .map((name) => numberOf(graph, dependence, name))
      .find((value) => value !== undefined);
    if (factor !== undefined) return node.op === "Div" ? 1 / factor : factor;
  }
  return undefined;
}

function producersOf(graph: Graph, node: Node): Node[] {
  return graph.nodes.filter(({ outputs }) => outputs.some((name) => node.inputs.includes(name)));
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
