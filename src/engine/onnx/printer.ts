import type { Attribute, Graph, Initializer, Node, Wire } from "./graph.ts";
import { fromBytes, toNumbers } from "./tensor.ts";

/** Constants up to this many elements are shown by their values. */
const SHOWN_ELEMENTS = 8;

const SHORT_TYPES: Readonly<Record<string, string>> = { float32: "", int64: "i64", float64: "f64" };

/**
 * A graph as text, one line for each node, that reads like algebra and is stable enough for snapshots:
 *
 *     (x[2,3], w[3,4]) → (loss[])
 *     a = MatMul(x, w)        [2,4]
 *     loss = ReduceSum(a)     []      keepdims=0
 */
export function printGraph(graph: Graph): string {
  const names = shortNames(graph);
  const lines = graph.nodes.map((node) => printNode(graph, node, names));
  const inputs = graph.inputs.map(printWire).join(", ");
  const outputs = graph.outputs.map(printWire).join(", ");
  return [`(${inputs}) → (${outputs})`, ...lines].join("\n");
}

function printWire(wire: Wire): string {
  const type = SHORT_TYPES[wire.type] ?? wire.type;
  return `${wire.name}${type && ` ${type}`}[${wire.shape}]`;
}

/** Letters for what nodes make, values for small constants; inputs, outputs and weights keep their names. */
function shortNames(graph: Graph): Map<string, string> {
  const names = new Map([...graph.inputs, ...graph.outputs].map((wire) => [wire.name, wire.name]));
  for (const initializer of graph.initializers.values())
    names.set(initializer.name, printConstant(initializer));
  const taken = new Set(names.values());
  const letters = letterNames();
  for (const name of graph.nodes.flatMap((node) => node.outputs)) {
    if (names.has(name) || name === "") continue;
    let short = letters.next().value as string;
    while (taken.has(short)) short = letters.next().value as string;
    names.set(name, short);
  }
  return names;
}

function* letterNames(): Generator<string> {
  const alphabet = "abcdefghijklmnopqrstuvwxyz";
  for (let round = 0; ; round += 1)
    for (const letter of alphabet) yield round === 0 ? letter : `${letter}${round}`;
}

function printConstant(initializer: Initializer): string {
  const { name, shape, type, storage } = initializer;
  if (storage.kind === "file") return name;
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (size > SHOWN_ELEMENTS) return name;
  const values = toNumbers(fromBytes(type, shape, storage.bytes)).map((value) =>
    String(Number(value.toPrecision(7))),
  );
  return shape.length === 0 ? values[0] : `[${values.join(" ")}]`;
}

function printNode(graph: Graph, node: Node, names: ReadonlyMap<string, string>): string {
  const shown = (name: string): string => (name === "" ? "–" : (names.get(name) ?? name));
  const call = `${node.outputs.map(shown).join(", ")} = ${node.op}(${node.inputs.map(shown).join(", ")})`;
  const shapes = node.outputs.map((name) => `[${graph.values.get(name)?.shape ?? "?"}]`).join(" ");
  const attributes = Object.entries(node.attributes).map(
    ([name, value]) => `${name}=${printAttribute(value)}`,
  );
  return [call.padEnd(44), shapes.padEnd(14), attributes.join(" ")].join(" ").trimEnd();
}

function printAttribute(attribute: Attribute): string {
  switch (attribute.kind) {
    case "ints":
    case "floats":
      return `[${attribute.value.join(" ")}]`;
    case "tensor":
      return printConstant(attribute.value);
    case "graph":
      return `{ ${printGraph(attribute.value).replaceAll("\n", "; ")} }`;
    default:
      return String(attribute.value);
  }
}
