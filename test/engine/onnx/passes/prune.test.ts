import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import { prune } from "../../../../src/engine/onnx/passes/prune.ts";

describe("prune", () => {
  test("drops nodes, constants and descriptions that no output needs", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    g.output(g.add(x, 1), "kept");
    g.output(g.exp(g.add(x, 2)), "dropped");
    const graph = g.build();
    const pruned = prune({ ...graph, outputs: graph.outputs.slice(0, 1) });
    expect(pruned.nodes.map((node) => node.op)).toEqual(["Add", "Identity"]);
    expect(pruned.initializers.size).toBe(1);
    expect([...pruned.values.keys()].sort()).toEqual(
      ["x", "kept", ...pruned.initializers.keys(), pruned.nodes[0].outputs[0]].sort(),
    );
  });

  test("keeps the statistics of a LayerNormalization only where they are read", () => {
    const g = new GraphBuilder();
    const [x, scale, bias] = [g.input("x", [2, 3]), g.input("scale", [3]), g.input("bias", [3])];
    g.output(g.layerNormalization(x, scale, bias), "y");
    expect(g.build().nodes[0].outputs).toHaveLength(1);
  });

  test("keeps what a subgraph reads", () => {
    const inner = new GraphBuilder();
    const outer = new GraphBuilder();
    const x = outer.input("x", [2]);
    const seen = outer.exp(x);
    const branch = { ...inner.build(), outputs: [seen] };
    outer.output(
      outer.one("If", [outer.input("c", [], "bool")], [2], { then_branch: { kind: "graph", value: branch } }),
    );
    expect(outer.build().nodes.map((node) => node.op)).toEqual(["Exp", "If"]);
  });
});
