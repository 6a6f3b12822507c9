import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import { fold } from "../../../../src/engine/onnx/passes/fold.ts";
import { float32, toInitializer } from "../../../../src/engine/onnx/tensor.ts";
import { runTensors } from "../../support/onnxruntime.ts";

describe("fold", () => {
  test("computes what depends on constants alone, and nothing else", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    const slope = g.mul(g.add(g.constant(float32([2], [1, 2])), 1), 10);
    g.output(g.mul(x, slope), "y");
    const graph = g.build();
    const folded = await fold(graph, runTensors);
    expect(folded.nodes.map((node) => node.op)).toEqual(["Mul", "Identity"]);
    const feeds = { x: float32([2], [1, -1]) };
    expect(await runTensors(folded, feeds)).toEqual(await runTensors(graph, feeds));
  });

  test("lifts Constant nodes", async () => {
    const g = new GraphBuilder();
    const value = { kind: "tensor", value: toInitializer("inner", float32([2], [3, 4])) } as const;
    const constant = g.one("Constant", [], [2], { value });
    g.output(g.mul(g.input("x", [2]), constant), "y");
    const folded = await fold(g.build(), runTensors);
    expect(folded.nodes.map((node) => node.op)).toEqual(["Mul", "Identity"]);
    expect((await runTensors(folded, { x: float32([2], [1, 2]) })).y.data).toEqual(new Float32Array([3, 8]));
  });

  test("leaves large results and weights in files to the runtime", async () => {
    const g = new GraphBuilder();
    const weight = g.initializer("w", "float32", [4], { kind: "file", file: "w.bin", offset: 0, length: 16 });
    g.output(g.add(g.exp(weight), g.input("x", [4])), "a");
    g.output(g.add(g.zeros([1000, 100]), g.input("y", [1])), "b");
    const folded = await fold(g.build(), runTensors);
    expect(folded.nodes.map((node) => node.op)).toEqual(g.build().nodes.map((node) => node.op));
  });
});
