import type { Attribute, Graph, Initializer, Node, Storage } from "./graph.ts";

/** Where a constant lies that is stored in a file. */
export type FileStorage = Storage & { readonly kind: "file" };

/** The same graph, nested ones too, with its file-stored constants in other places. */
export function relocated(graph: Graph, place: (storage: FileStorage) => FileStorage): Graph {
  const constant = (initializer: Initializer): Initializer =>
    initializer.storage.kind === "file"
      ? { ...initializer, storage: place(initializer.storage) }
      : initializer;
  const attribute = (one: Attribute): Attribute => {
    if (one.kind === "tensor") return { ...one, value: constant(one.value) };
    return one.kind === "graph" ? { ...one, value: relocated(one.value, place) } : one;
  };
  const node = (one: Node): Node => ({
    ...one,
    attributes: Object.fromEntries(
      Object.entries(one.attributes).map(([name, value]) => [name, attribute(value)]),
    ),
  });
  return {
    ...graph,
    initializers: new Map([...graph.initializers].map(([name, one]) => [name, constant(one)])),
    nodes: graph.nodes.map(node),
  };
}
