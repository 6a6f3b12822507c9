import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../../src/engine/autodiff/gradients.ts";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import { decodeModel } from "../../../../src/engine/onnx/codec.ts";
import type { Graph } from "../../../../src/engine/onnx/graph.ts";
import { float32 } from "../../../../src/engine/onnx/tensor.ts";
import { translate } from "../../../../src/engine/onnx/translate/translate.ts";
import { runTensors } from "../../support/onnxruntime.ts";

const fixtures = join(__dirname, "../../../fixtures/onnx");
const exported = decodeModel(readFileSync(join(fixtures, "exported.onnx")));
const golden: Record<"pixels" | "scores" | "gradient", number[]> = JSON.parse(
  readFileSync(join(fixtures, "exported.json"), "utf8"),
);
const feeds = { pixels: float32([2, 3, 6, 6], golden.pixels) };

function expectClose(actual: ArrayLike<number | bigint>, expected: readonly number[], digits: number): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, index) => void expect(Number(actual[index])).toBeCloseTo(value, digits));
}

describe("translate", () => {
  test("resolves an exported network: static shapes, no If, no arithmetic on shapes; the gradient is PyTorch's", async () => {
    const g = new GraphBuilder();
    const pixels = g.input("pixels", [2, 3, 6, 6]);
    const { outputs } = translate(g, exported, { bindings: { pixels }, outputs: ["scores"] });
    expect(outputs[0].shape).toEqual([2, 5]);
    const forward = g.nodes.map((node) => node.op);
    for (const op of ["If", "Shape", "Constant", "Gather"]) expect(forward).not.toContain(op);
    expect(forward.length).toBeLessThan(exported.nodes.length / 2);
    const loss = g.reduceSum(g.slice(outputs[0], [1], [2], [1]));
    g.output(outputs[0], "scores");
    g.output(gradients(g, loss, [pixels])[0], "gradient");
    const results = await runTensors(g.build(), feeds);
    expectClose(results.scores.data, golden.scores, 5);
    expectClose(results.gradient.data, golden.gradient, 6);
  });

  test("an If that depends on data is an error that names the node", () => {
    const branch = (sign: number): Graph => {
      const g = new GraphBuilder();
      g.output(g.constant(float32([1], [sign])));
      return g.build();
    };
    const g = new GraphBuilder();
    const positive = g.greater(g.reduceSum(g.input("x", [2])), 0);
    const branches = {
      then_branch: { kind: "graph", value: branch(1) },
      else_branch: { kind: "graph", value: branch(-1) },
    } as const;
    const chosen = g.one("If", [positive], [1], branches, "float32");
    g.output(chosen, "y");
    const target = new GraphBuilder();
    const bindings = { x: target.input("x", [2]) };
    expect(() => translate(target, g.build(), { bindings, outputs: ["y"] })).toThrow(
      expect.objectContaining({ code: "INVALID_GRAPH", details: { op: "If", node: chosen.name } }),
    );
  });

  test.each([
    ["Loop", undefined, /step by step/],
    ["SequenceAt", undefined, /step by step/],
    ["DynamicQuantizeLinear", undefined, /quantised/],
    ["MatMulNBits", "com.microsoft", /com\.microsoft\.MatMulNBits.*quantised/],
    ["NonMaxSuppression", undefined, /not an operator that the engine knows/],
    ["Anything", "org.example", /org\.example\.Anything/],
  ])("%s is refused by name", (op, domain, message) => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    const node = { op, domain, name: "n", inputs: ["x"], outputs: ["y"], attributes: {} };
    const graph = { ...g.build(), nodes: [node] };
    expect(() => translate(g, graph, { bindings: { x }, outputs: ["y"] })).toThrow(message);
  });
});
