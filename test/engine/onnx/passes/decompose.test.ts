import { describe, expect, test } from "@jest/globals";
import { int, ints } from "../../../../src/engine/onnx/attributes.ts";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import type { Wire } from "../../../../src/engine/onnx/graph.ts";
import { decompose } from "../../../../src/engine/onnx/passes/decompose.ts";
import { float32 } from "../../../../src/engine/onnx/tensor.ts";
import { runTensors } from "../../support/onnxruntime.ts";

const feeds = { x: float32([2, 3], [0.5, -1, 2, -0.1, 30, 1]) };

describe("decompose", () => {
  test.each<[string, number, (g: GraphBuilder, x: Wire) => Wire]>([
    ["Reciprocal", 18, (g, x) => g.one("Reciprocal", [x], x.shape)],
    ["Softplus", 18, (g, x) => g.one("Softplus", [x], x.shape)],
    ["Gelu", 20, (g, x) => g.one("Gelu", [x], x.shape)],
    ["Sum", 18, (g, x) => g.one("Sum", [x, g.constant(1), x], x.shape)],
    ["Dropout", 18, (g, x) => g.one("Dropout", [x], x.shape)],
    ["ReduceMean", 17, (g, x) => g.one("ReduceMean", [x], [2, 1], { axes: ints([-1]) })],
    ["ReduceL2", 13, (g, x) => g.one("ReduceL2", [x], [3], { axes: ints([0]), keepdims: int(0) })],
  ])("%s of opset %d becomes what has a gradient", async (op, opset, f) => {
    const g = new GraphBuilder({ opset });
    g.output(f(g, g.input("x", [2, 3])), "y");
    const graph = g.build();
    const simpler = decompose(graph);
    expect(simpler.opset).toBe(Math.max(18, opset));
    expect(simpler.nodes.some((node) => node.op === op && node.attributes.axes)).toBe(false);
    if (!op.startsWith("Reduce")) expect(simpler.nodes.map((node) => node.op)).not.toContain(op);
    const [before, after] = [await runTensors(graph, feeds), await runTensors(simpler, feeds)];
    expect(after.y.shape).toEqual(before.y.shape);
    before.y.data.forEach((value, index) => void expect(after.y.data[index]).toBeCloseTo(Number(value), 5));
  });
});
