import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import { dedupe } from "../../../../src/engine/onnx/passes/dedupe.ts";
import { float32, toInitializer } from "../../../../src/engine/onnx/tensor.ts";
import { runTensors } from "../../support/onnxruntime.ts";

describe("dedupe", () => {
  test("computes equal things once, through any number of levels", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    const twice = () => g.exp(g.add(g.mul(x, 2), 1));
    g.output(g.sub(g.mul(twice(), 3), twice()), "y");
    const graph = g.build();
    const smaller = dedupe(graph);
    expect(graph.nodes).toHaveLength(9);
    expect(smaller.nodes.map((node) => node.op)).toEqual(["Mul", "Add", "Exp", "Mul", "Sub", "Identity"]);
    const feeds = { x: float32([2], [0.5, -1]) };
    expect(await runTensors(smaller, feeds)).toEqual(await runTensors(graph, feeds));
  });

  test("tells attributes and constants apart", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2, 2]);
    const constants = [1, 1, 2].map((value, index) => {
      const { name, type, shape, storage } = toInitializer(`c${index}`, float32([1], [value]));
      return g.initializer(name, type, shape, storage);
    });
    const sums = constants.map((constant) => g.add(x, constant));
    g.output(g.concat([g.softmax(x, 0), g.softmax(x, 1), g.softmax(x, 0), ...sums], 0), "y");
    const smaller = dedupe(g.build());
    expect(smaller.nodes.filter((node) => node.op === "Softmax")).toHaveLength(2);
    expect(smaller.nodes.filter((node) => node.op === "Add")).toHaveLength(2);
  });

  test("keeps the names of outputs, and random numbers apart", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    g.output(g.exp(x));
    g.output(g.exp(x));
    const noise = () => g.one("RandomNormalLike", [x], [2]);
    g.output(g.sub(noise(), noise()));
    const graph = g.build();
    expect(dedupe(graph)).toEqual(graph);
  });
});
