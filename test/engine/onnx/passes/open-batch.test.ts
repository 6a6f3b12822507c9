import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import { withDynamicBatch } from "../../../../src/engine/onnx/codec.ts";
import type { Graph, Wire } from "../../../../src/engine/onnx/graph.ts";
import { openBatch } from "../../../../src/engine/onnx/passes/open-batch.ts";
import { float32 } from "../../../../src/engine/onnx/tensor.ts";
import { runTensors } from "../../support/onnxruntime.ts";

/** A graph of rows [N, 6] for every N. */
function rows(f: (g: GraphBuilder, x: Wire, batch: number) => Wire): (batch: number) => Graph {
  return (batch) => {
    const g = new GraphBuilder({ name: "rows" });
    g.output(f(g, g.input("x", [batch, 6]), batch), "y");
    return g.build();
  };
}

const repeated = (g: GraphBuilder, batch: number): Wire =>
  g.constant(float32([batch, 2], Array.from({ length: batch }, () => [3, 4]).flat()));

describe("openBatch", () => {
  test.each<[string, (g: GraphBuilder, x: Wire, batch: number) => Wire]>([
    ["a Reshape with one open size", (g, x, batch) => g.reshape(x, [batch, 2, 3])],
    [
      "a Reshape that moves the batch",
      (g, x, batch) => g.transpose(g.reshape(g.transpose(x), [6 * batch]), [0]),
    ],
    [
      "an Expand to the batch",
      (g, x, batch) => g.concat([x, g.expand(g.reduceMax(x, [0], { keepDimensions: true }), [batch, 6])], 1),
    ],
    ["a constant repeated for the batch", (g, x, batch) => g.concat([x, repeated(g, batch)], 1)],
    [
      "a slice that depends on the batch",
      (g, x, batch) => g.slice(g.reshape(x, [batch * 6]), [batch], [6 * batch - 2]),
    ],
    ["nothing that depends on the batch", (g, x) => g.relu(x)],
  ])("opens %s", async (_name, f) => {
    const open = withDynamicBatch(openBatch(rows(f), "x"), "x");
    for (const batch of [1, 2, 9]) {
      const x = float32(
        [batch, 6],
        Array.from({ length: 6 * batch }, (_, index) => Math.sin(index)),
      );
      const expected = await runTensors(rows(f)(batch), { x });
      expect((await runTensors(open, { x })).y).toEqual(expected.y);
    }
  });

  test.each<[string, (g: GraphBuilder, x: Wire, batch: number) => Wire, RegExp]>([
    [
      "the number of nodes",
      (g, x, batch) => (batch > 5 ? g.relu(g.neg(x)) : g.relu(x)),
      /the number of nodes/,
    ],
    ["an operator", (g, x, batch) => (batch > 5 ? g.neg(x) : g.relu(x)), /node "/],
    [
      "the square of the batch",
      (g, x, batch) => g.expand(g.reduceSum(x), [batch * batch]),
      /what ".*" counts/,
    ],
    [
      "rows that differ",
      (g, x, batch) =>
        g.add(
          x,
          g.constant(
            float32(
              [batch, 1],
              Array.from({ length: batch }, (_, row) => row),
            ),
          ),
        ),
      /the constant "/,
    ],
  ])("refuses a graph in which %s depends on the batch", (_name, f, message) => {
    expect(() => openBatch(rows(f), "x")).toThrow(
      expect.objectContaining({ code: "INVALID_GRAPH", message: expect.stringMatching(message) }),
    );
  });
});
