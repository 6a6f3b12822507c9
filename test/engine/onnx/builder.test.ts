import { describe, expect, test } from "@jest/globals";
import { InferenceSession, Tensor as RuntimeTensor } from "onnxruntime-node";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { encodeModel, withDynamicBatch } from "../../../src/engine/onnx/encode.ts";
import { float32 } from "../../../src/engine/onnx/tensor.ts";

async function open(bytes: Uint8Array): Promise<InferenceSession> {
  return InferenceSession.create(bytes, { logSeverityLevel: 3 });
}

describe("GraphBuilder", () => {
  test("builds a network that ONNX Runtime runs, at any batch", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", [1, 2, 4, 4]);
    const weight = g.constant(
      float32(
        [3, 2, 3, 3],
        Array.from({ length: 54 }, (_, i) => (i % 7) - 3),
      ),
    );
    const pooled = g.averagePool(g.relu(g.conv(x, weight, undefined, { pads: [1, 1, 1, 1] })), {
      kernel: [2, 2],
    });
    const [head] = g.split(g.flatten(pooled), [5, 7], 1);
    g.output(g.softmax(g.mul(g.transpose(g.unsqueeze(head, [2]), [0, 2, 1]), 0.1)), "y");
    const session = await open(encodeModel(withDynamicBatch(g.build(), "x")));
    const feed = new RuntimeTensor("float32", new Float32Array(96).fill(0.5), [3, 2, 4, 4]);
    const { y } = await session.run({ x: feed });
    expect(y.dims).toEqual([3, 1, 5]);
    expect((y.data as Float32Array).subarray(0, 5).reduce((a, b) => a + b)).toBeCloseTo(1);
  });

  test("keeps only what the outputs need, and all inputs", () => {
    const g = new GraphBuilder();
    const [x, unused] = [g.input("x", [2]), g.input("unused", [2])];
    g.exp(g.add(unused, 1));
    g.output(g.mul(x, 2), "y");
    const graph = g.build();
    expect(graph.nodes.map((node) => node.op)).toEqual(["Mul", "Identity"]);
    expect(graph.inputs.map((wire) => wire.name)).toEqual(["x", "unused"]);
    expect(graph.initializers.size).toBe(1);
  });

  test("reports a wrong shape where it is made", () => {
    const g = new GraphBuilder();
    const [a, b] = [g.input("a", [2, 3]), g.input("b", [4, 2])];
    expect(() => g.matmul(a, b)).toThrow("inner sizes differ");
    expect(() => g.add(a, b)).toThrow("do not broadcast");
    expect(() => g.reshape(a, [4, -1])).toThrow("number of elements differs");
    expect(() => g.squeeze(a)).not.toThrow();
    expect(() => g.transpose(a, [0, 0])).toThrow("not a permutation");
    expect(() => g.concat([a, b], 0)).toThrow("other axes differ");
    expect(() => g.input("a", [1])).toThrow("already has a value");
  });
});
