import { intOf } from "../attributes.ts";
import { ELEMENT_NUMBERS } from "../element-numbers.ts";
import type { ElementType, Graph, Node } from "../graph.ts";

const TYPES_BY_NUMBER = new Map(
  Object.entries(ELEMENT_NUMBERS).map(([type, number]) => [number, type as ElementType]),
);

const BOOLEAN = new Set(
  "Equal Greater GreaterOrEqual Less LessOrEqual And Or Xor Not IsNaN IsInf".split(" "),
);
const INTEGER = new Set(["Shape", "Size", "ArgMax", "ArgMin", "NonZero"]);
/** Which input gives the type, where it is not the first. */
const SOURCE: Readonly<Record<string, number>> = { Where: 1, OneHot: 2 };

/** Element types of all values at the top level of a graph, which few operators change. */
export function elementTypes(graph: Graph): Map<string, ElementType> {
  const declared = [...graph.values.values(), ...graph.initializers.values(), ...graph.inputs];
  const types = new Map(declared.map((wire) => [wire.name, wire.type]));
  for (const node of graph.nodes)
    node.outputs.forEach((name, index) => {
      if (!types.has(name)) types.set(name, typeOf(node, index, types));
    });
  return types;
}

function typeOf(node: Node, output: number, types: ReadonlyMap<string, ElementType>): ElementType {
  if (BOOLEAN.has(node.op)) return "bool";
  if (INTEGER.has(node.op) || (node.op === "TopK" && output === 1)) return "int64";
  if (node.op === "Cast") return TYPES_BY_NUMBER.get(intOf(node, "to", 1)) ?? "float32";
  if (node.op === "ConstantOfShape") {
    const { value } = node.attributes;
    return value?.kind === "tensor" ? value.value.type : "float32";
  }
  return types.get(node.inputs[SOURCE[node.op] ?? 0]) ?? "float32";
}
