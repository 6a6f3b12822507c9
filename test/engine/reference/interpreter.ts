import type { Graph } from "../../../src/engine/onnx/graph.ts";
import { fromBytes, toNumbers } from "../../../src/engine/onnx/tensor.ts";
import { elementwise } from "./elementwise.ts";
import { linear } from "./linear.ts";
import type { Operator } from "./operator.ts";
import { reduce } from "./reduce.ts";
import { shape } from "./shape.ts";
import type { Value } from "./values.ts";

const operators: Readonly<Record<string, Operator>> = { ...elementwise, ...linear, ...reduce, ...shape };

/**
 * Runs a graph slowly in float64, whatever its types: the oracle that the engine's graphs are held against.
 * Returns the outputs in the graph's order.
 */
export function interpret(graph: Graph, feeds: Readonly<Record<string, Value>>): Value[] {
  const values = new Map<string, Value>(Object.entries(feeds));
  for (const { name, type, shape, storage } of graph.initializers.values()) {
    if (storage.kind !== "inline") throw new Error(`the interpreter reads no files (${name})`);
    values.set(name, { shape, data: Float64Array.from(toNumbers(fromBytes(type, shape, storage.bytes))) });
  }
  for (const node of graph.nodes) {
    const operator = operators[node.op];
    if (!operator) throw new Error(`the interpreter does not know ${node.op}`);
    const inputs = node.inputs.map((name) => values.get(name) as Value);
    const outputShapes = node.outputs.map((name) => graph.values.get(name)?.shape ?? []);
    const results = operator({ node, inputs, outputShapes });
    node.outputs.forEach((name, index) => {
      values.set(name, { shape: outputShapes[index], data: results[index].data });
    });
  }
  return graph.outputs.map((wire) => values.get(wire.name) as Value);
}
