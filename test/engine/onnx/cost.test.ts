import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../src/engine/autodiff/gradients.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import { costOf, flopsOf } from "../../../src/engine/onnx/cost.ts";
import type { Wire } from "../../../src/engine/onnx/graph.ts";

function graphOf(build: (g: GraphBuilder) => Wire) {
  const g = new GraphBuilder();
  g.output(build(g));
  return g.build();
}

const weight = (g: GraphBuilder, name: string, shape: readonly number[]): Wire =>
  g.initializer(name, "float32", shape, {
    kind: "file",
    file: "weights.bin",
    offset: 0,
    length: 4 * shape.reduce((a, b) => a * b, 1),
  });

describe("costOf", () => {
  test("counts a multiply-add as two, in every kind of product", () => {
    const x = (g: GraphBuilder) => g.input("x", [5, 4]);
    expect(flopsOf(graphOf((g) => g.matmul(x(g), weight(g, "w", [4, 3]))))).toBe(2 * 5 * 4 * 3);
    expect(flopsOf(graphOf((g) => g.gemm(x(g), weight(g, "w", [3, 4]), undefined, { transB: true })))).toBe(
      2 * 5 * 4 * 3,
    );
    expect(flopsOf(graphOf((g) => g.gemm(x(g), g.input("y", [5, 3]), undefined, { transA: true })))).toBe(
      2 * 4 * 5 * 3,
    );
    const image = (g: GraphBuilder) => g.input("x", [2, 6, 8, 8]);
    // 7 × 7 output pixels, 9 outputs, windows of 6/3 channels by 2 × 2.
    expect(
      flopsOf(graphOf((g) => g.conv(image(g), weight(g, "w", [9, 2, 2, 2]), undefined, { group: 3 }))),
    ).toBe(2 * (2 * 9 * 7 * 7) * (2 * 2 * 2));
    // The transpose of a convolution costs what the convolution does.
    const there = graphOf((g) =>
      g.conv(g.input("x", [2, 5, 9, 9]), weight(g, "w", [6, 5, 3, 3]), undefined, { strides: [2, 2] }),
    );
    const back = graphOf((g) =>
      g.convTranspose(g.input("x", [2, 6, 4, 4]), weight(g, "w", [6, 5, 3, 3]), undefined, {
        strides: [2, 2],
      }),
    );
    expect(flopsOf(back)).toBe(flopsOf(there));
  });

  test("keeps products apart, and takes moves and what follows from weights for free", () => {
    const graph = graphOf((g) => {
      const folded = g.transpose(g.mul(weight(g, "w", [3, 4]), 2));
      return g.relu(g.transpose(g.matmul(g.input("x", [5, 4]), folded)));
    });
    const cost = costOf(graph);
    expect(cost.productFlops).toBe(2 * 5 * 4 * 3);
    expect(cost.flops).toBe(cost.productFlops + 5 * 3);
    expect(cost.weightBytes).toBe(4 * 4 * 3);
    // Product, transposition and ReLU, each with what it reads and writes.
    expect(cost.bytesMoved).toBe(4 * (5 * 4 + 4 * 3 + 5 * 3 + 4 * (5 * 3)));
  });

  test("follows what has to be kept, and counts a view with what it shows", () => {
    const chain = (g: GraphBuilder, steps: number) => {
      let wire = g.input("x", [100]);
      for (let step = 0; step < steps; step++) wire = g.reshape(g.tanh(wire), step % 2 ? [100] : [10, 10]);
      return wire;
    };
    // The input, which its caller holds, and one result beside the one that it is made of.
    expect(costOf(graphOf((g) => chain(g, 6))).peakActivationBytes).toBe(3 * 400);
    const gradient = graphOf((g) => {
      const y = chain(g, 6);
      return gradients(g, g.reduceSum(y), [g.wire("x")])[0];
    });
    // A gradient keeps every result of the way there.
    expect(costOf(gradient).peakActivationBytes).toBeGreaterThanOrEqual(7 * 400);
  });

  test("a gradient by the input of a network of products costs as much as its forward pass", () => {
    const network = (g: GraphBuilder) => {
      const hidden = g.tanh(g.gemm(g.input("x", [8, 64]), weight(g, "a", [64, 64])));
      return g.reduceSum(g.tanh(g.gemm(hidden, weight(g, "b", [64, 64]))));
    };
    const forward = costOf(graphOf(network));
    const both = costOf(
      graphOf((g) => {
        const loss = network(g);
        g.output(loss);
        return gradients(g, loss, [g.wire("x")])[0];
      }),
    );
    expect(both.productFlops).toBe(2 * forward.productFlops);
  });

  test("refuses a graph whose shapes are open", () => {
    const graph = graphOf((g) => g.relu(g.input("x", [4])));
    const values = new Map([...graph.values].map(([name, wire]) => [name, { ...wire, shape: [-1] }]));
    expect(() => costOf({ ...graph, values })).toThrow(expect.objectContaining({ code: "INVALID_GRAPH" }));
  });
});
