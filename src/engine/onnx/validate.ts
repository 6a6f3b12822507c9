import { AppError } from "../../errors.ts";
import type { Graph } from "./graph.ts";

/**
 * Checks what every pass relies on: values are made once, before they are read, and the outputs exist.
 * Throws INVALID_GRAPH that names the first value at fault. `outer` are the values that a subgraph sees.
 */
export function checkGraph(graph: Graph, outer: ReadonlySet<string> = new Set()): void {
  const made = new Set([...outer, ...graph.initializers.keys()]);
  const fail = (name: string, problem: string): never => {
    throw new AppError("INVALID_GRAPH", `Value "${name}" of graph "${graph.name}" ${problem}.`, { name });
  };
  for (const { name, shape } of graph.inputs) {
    if (name === "" || made.has(name)) fail(name, "is declared twice, or has no name");
    if (shape.some((size) => !Number.isSafeInteger(size))) fail(name, `has shape [${shape}]`);
    made.add(name);
  }
  for (const node of graph.nodes) {
    for (const name of node.inputs)
      if (name !== "" && !made.has(name))
        fail(name, `is read by ${node.op} (node "${node.name}") before it is made`);
    for (const attribute of Object.values(node.attributes))
      if (attribute.kind === "graph") checkGraph(attribute.value, made);
    for (const name of node.outputs) {
      if (name === "") continue;
      if (made.has(name)) fail(name, `is made twice, again by ${node.op} (node "${node.name}")`);
      made.add(name);
    }
  }
  for (const { name } of graph.outputs) if (!made.has(name)) fail(name, "is an output that nothing makes");
}
