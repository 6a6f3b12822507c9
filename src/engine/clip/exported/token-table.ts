import { AppError } from "../../../errors.ts";
import { intOf } from "../../onnx/attributes.ts";
import type { Graph, Initializer, Node } from "../../onnx/graph.ts";
import { constantOf } from "../../onnx/passes/constants.ts";
import { dependenceOf } from "./dependence.ts";
import type { Port } from "./ports.ts";

/** Where token ids become vectors: the table [vocabulary, width], and the value [C, L, width] that it is looked up to. */
export interface TokenTable {
  readonly table: Initializer;
  readonly vectors: string;
}

/**
 * The one Gather that looks the token ids up in a table of weights. Throws INVALID_CHECKPOINT where there is none, or
 * more than one.
 */
export function findTokenTable({ graph, dependence, input }: Port, file: string): TokenTable {
  const tables = tablesOf(graph);
  const found = graph.nodes.flatMap((node): TokenTable[] => {
    const table =
      node.op === "Gather" && intOf(node, "axis", 0) === 0 ? tables.get(node.inputs[0]) : undefined;
    return table && dependence.get(node.inputs[1])?.has(input.name)
      ? [{ table, vectors: node.outputs[0] }]
      : [];
  });
  if (found.length === 1) return found[0];
  const problem =
    found.length === 0
      ? "looks its token ids up in no table of weights"
      : `looks its token ids up in ${found.length} tables`;
  const message = `${file} ${problem} (${found.map(({ table }) => table.name).join(", ")}), so prompts cannot be given as vectors. Export the text tower with token ids as its input.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file, input: input.name });
}

/** Where one position of each text is taken: the states [C, L, d] of all of them, and the value [C, d] that is taken. */
export interface Pooling {
  readonly states: string;
  readonly pooled: string;
}

const RESHAPING = new Set(["Reshape", "Flatten", "Identity", "Cast"]);

/**
 * The one place where states are picked by the token ids. Undefined where it is not clear; then the ids have to be
 * given.
 */
export function findPooling({ graph, input }: Port, vectors: string): Pooling | undefined {
  const dependence = dependenceOf(graph, [vectors]);
  const depends = (name: string, source: string) => dependence.get(name)?.has(source) ?? false;
  const isPicking = ({ op, inputs: [data, indices] }: Node) =>
    (op === "Gather" || op === "GatherND") &&
    depends(data, vectors) &&
    depends(indices, input.name) &&
    !depends(indices, vectors);
  const picking = graph.nodes.filter(isPicking);
  const others = graph.nodes.filter(
    (node) =>
      !isPicking(node) &&
      !node.outputs.includes(vectors) &&
      node.outputs.some((name) => depends(name, vectors)) &&
      node.inputs.some((name) => depends(name, input.name) && !depends(name, vectors)),
  );
  if (picking.length !== 1 || others.length > 0) return undefined;
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node])));
  let [states] = picking[0].inputs;
  for (let node = producers.get(states); node && RESHAPING.has(node.op); node = producers.get(states))
    [states] = node.inputs;
  return { states, pooled: picking[0].outputs[0] };
}

/** The node that makes a value. */
export function producerOf({ nodes, name: graph }: Graph, name: string): Node {
  const node = nodes.find(({ outputs }) => outputs.includes(name));
  if (node) return node;
  throw new AppError("INVALID_GRAPH", `Nothing in "${graph}" makes the value "${name}".`, { name });
}

/** Floating constants of rank 2 by the names of the values that hold them, unchanged. */
function tablesOf(graph: Graph): Map<string, Initializer> {
  const constants = [
    ...graph.initializers.values(),
    ...graph.nodes.flatMap((node) => constantOf(node) ?? []),
  ];
  const tables = new Map(
    constants
      .filter(({ type, shape }) => type.includes("float") && shape.length === 2)
      .map((each) => [each.name, each]),
  );
  for (const node of graph.nodes) {
    const table = passes(node) ? tables.get(node.inputs[0]) : undefined;
    if (table) tables.set(node.outputs[0], table);
  }
  return tables;
}

function passes({ op }: Node): boolean {
  return op === "Identity" || op === "Cast";
}
