import { describe, expect, test } from "@jest/globals";
import { dependenceOf } from "../../../src/engine/clip/exported/dependence.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import type { Graph, Node, Wire } from "../../../src/engine/onnx/graph.ts";

const nodeOf = (op: string, inputs: readonly string[], output: string): Node => ({
  op,
  name: output,
  inputs,
  outputs: [output],
  attributes: {},
});

function graphOf(count: number, nodes: readonly Node[]): Graph {
  const inputs = Array.from(
    { length: count },
    (_, index): Wire => ({ name: `i${index}`, type: "float32", shape: [1] }),
  );
  return { ...new GraphBuilder().build(), inputs, nodes };
}

const refused = expect.objectContaining({ code: "INVALID_GRAPH" });

describe("what values depend on", () => {
  test("are the inputs that they are made of, shapes aside", () => {
    const nodes = [
      nodeOf("Add", ["i0", "i1"], "sum"),
      nodeOf("Shape", ["i2"], "shape"),
      nodeOf("Reshape", ["sum", "shape"], "y"),
    ];
    expect([...dependenceOf(graphOf(3, nodes)).get("y")!]).toEqual(["i0", "i1"]);
  });

  test("is not followed for more inputs than any tower has", () => {
    const chain = Array.from({ length: 2000 }, (_, index) =>
      nodeOf("Add", [`o${index - 1}`, `i${index}`], `o${index}`),
    );
    expect(() => dependenceOf(graphOf(2000, chain))).toThrow(refused);
  });

  test("is not followed through thousands of mixtures of them", () => {
    const halves = [0, 32].map((start) =>
      nodeOf(
        "Concat",
        Array.from({ length: 32 }, (_, index) => `i${start + index}`),
        `half${start}`,
      ),
    );
    const mixtures = Array.from({ length: 40_000 }, (_, index) =>
      nodeOf("Add", ["half0", "half32"], `m${index}`),
    );
    expect(dependenceOf(graphOf(64, [...halves, ...mixtures.slice(0, 100)])).get("m99")?.size).toBe(64);
    expect(() => dependenceOf(graphOf(64, [...halves, ...mixtures]))).toThrow(refused);
  });
});
