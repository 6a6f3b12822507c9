import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../src/engine/autodiff/gradients.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import type { Wire } from "../../../src/engine/onnx/graph.ts";
import { printGraph } from "../../../src/engine/onnx/printer.ts";
import { float32, int64 } from "../../../src/engine/onnx/tensor.ts";
import { interpret } from "../reference/interpreter.ts";
import { runFloat32 } from "../support/onnxruntime.ts";

const values = (...numbers: number[]) => ({ shape: [numbers.length], data: Float64Array.from(numbers) });

/** The text of a gradient graph of Σ f(inputs) by all inputs. */
function printed(shapes: Record<string, number[]>, f: (g: GraphBuilder, ...inputs: Wire[]) => Wire): string {
  const g = new GraphBuilder();
  const inputs = Object.entries(shapes).map(([name, shape]) => g.input(name, shape));
  const grads = gradients(g, f(g, ...inputs), inputs);
  inputs.forEach((input, index) => void g.output(grads[index], `d_${input.name}`));
  return printGraph(g.build());
}

describe("gradients", () => {
  test("read like algebra: a linear layer under a squared loss", () => {
    const text = printed({ x: [5, 3], w: [3, 2] }, (g, x, w) => g.reduceSum(g.pow(g.matmul(x, w), 2)));
    expect(text).toMatchSnapshot();
  });

  test("a convolution goes back as a convolution", () => {
    const text = printed({ x: [1, 16, 8, 8] }, (g, x) => {
      const w = g.constant(float32([16, 16, 3, 3]));
      return g.reduceSum(g.relu(g.conv(x, w, undefined, { pads: [1, 1, 1, 1] })));
    });
    expect(text).toMatchSnapshot();
  });

  test("disjoint slices of one value come back in one Concat", () => {
    const text = printed({ x: [2, 6] }, (g, x) => {
      const [q, k, v] = [0, 2, 4].map((start) => g.slice(x, [start], [start + 2], [1]));
      return g.reduceSum(g.mul(q, g.mul(k, v)));
    });
    expect(text).toMatchSnapshot();
  });

  test("a value added to itself loses nothing where it is sliced beside another slice", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [4]);
    const double = g.slice(g.add(x, x), [0], [2], [0]);
    const single = g.slice(x, [2], [4], [0]);
    const loss = g.add(g.reduceSum(g.mul(double, double)), g.reduceSum(g.mul(single, single)));
    g.output(gradients(g, loss, [x])[0], "dx");
    g.output(loss, "loss");
    const graph = g.build();
    const at = [1, 2, 3, 4];
    const [dx] = interpret(graph, { x: values(...at) });
    const step = 1e-5;
    const differences = at.map((value, index) => {
      const [above, below] = [value + step, value - step].map(
        (moved) => interpret(graph, { x: values(...at.with(index, moved)) })[1].data[0],
      );
      return (above - below) / (2 * step);
    });
    expect([...dx.data]).toEqual([8, 16, 6, 8]);
    dx.data.forEach((value, index) => void expect(differences[index]).toBeCloseTo(value, 6));
  });

  test("a value used twice gets the sum of both gradients", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    g.output(gradients(g, g.reduceSum(g.add(g.mul(x, x), g.mul(3, x))), [x])[0], "dx");
    expect([...interpret(g.build(), { x: values(1, 2) })[0].data]).toEqual([5, 7]);
  });

  test("an intermediate value can be asked for, and one that does not matter has zeros", () => {
    const g = new GraphBuilder();
    const [x, unused] = [g.input("x", [2]), g.input("unused", [3])];
    const square = g.mul(x, x);
    const [dSquare, dUnused] = gradients(g, g.reduceSum(g.mul(square, 4)), [square, unused]);
    g.output(dSquare, "dSquare");
    g.output(dUnused, "dUnused");
    const [first, second] = interpret(g.build(), { x: values(1, 2), unused: values(0, 0, 0) });
    expect([...first.data]).toEqual([4, 4]);
    expect([...second.data]).toEqual([0, 0, 0]);
  });

  test("a gate is one function of its input, unless the gate itself is asked for", () => {
    const gradientBy = (asked: "input" | "gate") => {
      const g = new GraphBuilder();
      const x = g.input("x", [2]);
      const gate = g.sigmoid(x);
      const [gradient] = gradients(g, g.reduceSum(g.mul(x, gate)), [asked === "input" ? x : gate]);
      g.output(gradient, "gradient");
      return g.build();
    };
    const [gradient] = interpret(gradientBy("input"), { x: values(1, -2) });
    const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
    const slope = (z: number) => sigmoid(z) * (1 + z * sigmoid(-z));
    expect([...gradient.data]).toEqual([expect.closeTo(slope(1)), expect.closeTo(slope(-2))]);
    expect([...interpret(gradientBy("gate"), { x: values(1, -2) })[0].data]).toEqual([1, -2]);
  });

  test("a seed makes it a vector-Jacobian product", () => {
    const g = new GraphBuilder();
    const [x, seed] = [g.input("x", [2]), g.input("seed", [2])];
    const y = g.mul(x, x);
    expect(() => gradients(g, y, [x])).toThrow("reduce it to a scalar");
    expect(() => gradients(g, y, [x], g.constant(1))).toThrow("The seed has shape []");
    g.output(gradients(g, y, [x], seed)[0], "dx");
    expect([...interpret(g.build(), { x: values(1, 2), seed: values(10, 1) })[0].data]).toEqual([20, 4]);
  });

  test("nothing passes a detached value", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    g.output(gradients(g, g.reduceSum(g.mul(g.detach(x), x)), [x])[0], "dx");
    expect([...interpret(g.build(), { x: values(1, 2) })[0].data]).toEqual([1, 2]);
  });

  test("an operator without a rule is an error that names it, if it is on the way", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2]);
    const odd = g.one("Mystery", [x], [2]);
    const away = g.one("Mystery", [g.input("other", [2])], [2]);
    expect(() => gradients(g, g.reduceSum(g.mul(x, away)), [x])).not.toThrow();
    expect(() => gradients(g, g.reduceSum(odd), [x])).toThrow(
      expect.objectContaining({
        code: "OP_NOT_DIFFERENTIABLE",
        details: { op: "Mystery", node: odd.name },
        message: expect.stringContaining("Mystery"),
      }),
    );
  });

  test("a form that a rule does not cover is an error too", () => {
    const g = new GraphBuilder();
    const x = g.input("x", [2, 3]);
    const ends = g.input("ends", [1], "int64");
    const cut = g.one("Slice", [x, g.integers([0]), ends], [1, 3]);
    expect(() => gradients(g, g.reduceSum(cut), [x])).toThrow("is not a constant");
  });

  test.each<[string, (g: GraphBuilder, x: Wire) => Wire]>([
    [
      "means side by side",
      (g, x) => g.averagePool(g.expand(x, [1, 8_000_000, 2, 1]), { kernel: [2, 1], strides: [2, 1] }),
    ],
    [
      "overlapping means",
      (g, x) => g.averagePool(g.expand(x, [1, 5_000_000, 3, 1]), { kernel: [2, 1], strides: [1, 1] }),
    ],
  ])("weights are not written out for millions of channels: %s", (_name, f) => {
    const g = new GraphBuilder();
    const x = g.input("x", [1, 1, 1, 1]);
    const build = () => gradients(g, g.reduceSum(f(g, x)), [x]);
    expect(build).toThrow(expect.objectContaining({ code: "INVALID_GRAPH" }));
  });

  test("repeated indices lose nothing, though the runtime is parallel", async () => {
    const [count, width] = [20_000, 64];
    const g = new GraphBuilder();
    const table = g.input("table", [3, width]);
    const indices = g.constant(
      int64(
        [count],
        Array.from({ length: count }, (_, i) => i % 3),
      ),
    );
    g.output(gradients(g, g.reduceSum(g.gather(table, indices)), [table])[0], "dTable");
    const feeds = { table: { shape: [3, width], data: new Float64Array(3 * width) } };
    const [gradient] = await runFloat32(g.build(), feeds, 2);
    expect(gradient.data.reduce((sum, value) => sum + value)).toBe(count * width);
  });

  test("the mask of a Relu depends on where it runs", () => {
    const ops = (provider: "cpu" | "cuda"): string[] => {
      const g = new GraphBuilder({ provider });
      const x = g.input("x", [1, 32, 2, 2]);
      g.output(gradients(g, g.reduceSum(g.mul(g.relu(x), x)), [x])[0], "dx");
      return g.build().nodes.map((node) => node.op);
    };
    expect(ops("cpu")).toContain("HardSigmoid");
    expect(ops("cpu")).not.toContain("Where");
    expect(ops("cuda")).toEqual(expect.arrayContaining(["Greater", "Where"]));
    expect(ops("cuda")).not.toContain("HardSigmoid");
  });
});
