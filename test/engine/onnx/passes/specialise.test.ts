import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../../src/engine/autodiff/gradients.ts";
import { builderOf } from "../../../../src/engine/onnx/append.ts";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import { decodeModel } from "../../../../src/engine/onnx/codec.ts";
import type { Graph } from "../../../../src/engine/onnx/graph.ts";
import { decompose } from "../../../../src/engine/onnx/passes/decompose.ts";
import { specialise } from "../../../../src/engine/onnx/passes/specialise.ts";
import { float32 } from "../../../../src/engine/onnx/tensor.ts";
import { runTensors } from "../../support/onnxruntime.ts";

const fixtures = join(__dirname, "../../../fixtures/onnx");
const exported = decodeModel(readFileSync(join(fixtures, "exported.onnx")));
const golden: Record<"pixels" | "scores" | "gradient", number[]> = JSON.parse(
  readFileSync(join(fixtures, "exported.json"), "utf8"),
);
const feeds = { pixels: float32([2, 3, 6, 6], golden.pixels) };
const shapes = { pixels: [2, 3, 6, 6] };

function expectClose(actual: ArrayLike<number | bigint>, expected: readonly number[], digits: number): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, index) => void expect(Number(actual[index])).toBeCloseTo(value, digits));
}

describe("specialise", () => {
  test("resolves an exported network: static shapes, no If, no arithmetic on shapes", async () => {
    const graph = await specialise(exported, { shapes, run: runTensors });
    const ops = graph.nodes.map((node) => node.op);
    for (const op of ["If", "Shape", "Constant", "Gather"]) expect(ops).not.toContain(op);
    expect(ops.length).toBeLessThan(exported.nodes.length / 2);
    for (const name of graph.nodes.flatMap((node) => node.outputs)) expect(graph.values.has(name)).toBe(true);
    expect(graph.outputs).toEqual([{ name: "scores", type: "float32", shape: [2, 5] }]);
    expectClose((await runTensors(graph, feeds)).scores.data, golden.scores, 5);
  });

  test("and then it can be differentiated: the gradient is PyTorch's", async () => {
    const graph = decompose(await specialise(exported, { shapes, run: runTensors }));
    const { g, inputs, outputs } = builderOf(graph);
    const loss = g.reduceSum(g.slice(outputs.scores, [1], [2], [1]));
    g.output(gradients(g, loss, [inputs.pixels])[0], "gradient");
    expectClose((await runTensors(g.build(), feeds)).gradient.data, golden.gradient, 6);
  });

  test("an open shape that nobody gives, or a wrong one, is an error that names the input", async () => {
    for (const given of [{}, { pixels: [2, 4, 6, 6] }, { pixels: [2, 3] }] as Record<string, number[]>[])
      await expect(specialise(exported, { shapes: given, run: runTensors })).rejects.toMatchObject({
        code: "INVALID_GRAPH",
        message: expect.stringContaining('"pixels"'),
      });
  });

  test("an If that depends on data is an error that names the node", async () => {
    const branch = (sign: number): Graph => {
      const g = new GraphBuilder();
      g.output(g.constant(float32([1], [sign])));
      return g.build();
    };
    const g = new GraphBuilder();
    const positive = g.greater(g.reduceSum(g.input("x", [2])), 0);
    const chosen = g.one(
      "If",
      [positive],
      [1],
      {
        then_branch: { kind: "graph", value: branch(1) },
        else_branch: { kind: "graph", value: branch(-1) },
      },
      "float32",
    );
    g.output(chosen, "y");
    await expect(specialise(g.build(), { shapes: {}, run: runTensors })).rejects.toMatchObject({
      code: "INVALID_GRAPH",
      details: { node: chosen.name },
    });
  });
});
