import { describe, expect, test } from "@jest/globals";
import { int } from "../../../../src/engine/onnx/attributes.ts";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import type { Attribute, Graph, Node, Wire } from "../../../../src/engine/onnx/graph.ts";
import { float32, int64, type Tensor, toInitializer } from "../../../../src/engine/onnx/tensor.ts";
import { translateAt } from "../../../../src/engine/onnx/translate/fixed-sizes.ts";
import { translate } from "../../../../src/engine/onnx/translate/translate.ts";

/** A graph of nodes that read constants, and a value "x". */
function graphOf(nodes: readonly Node[], constants: Readonly<Record<string, Tensor>>): Graph {
  const initializers = Object.entries(constants).map(
    ([name, tensor]) => [name, toInitializer(name, tensor)] as const,
  );
  return { ...new GraphBuilder().build(), nodes, initializers: new Map(initializers) };
}

const nodeOf = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>> = {},
): Node => ({ op, name: op, inputs, outputs, attributes });

/** The value "y" of a node over constants and an x of the given shape. */
function resultOf(node: Node, constants: Readonly<Record<string, Tensor>>, shape: readonly number[] = [2]) {
  const g = new GraphBuilder();
  const x = g.input("x", shape);
  const [y] = translate(g, graphOf([node], constants), { bindings: { x }, outputs: ["y"] }).outputs;
  return { g, y };
}

const scalar = (value: number): Tensor => int64([], [value]);

describe("what a few bytes ask for is not written out", () => {
  const range = { start: scalar(0), limit: scalar(100_000), delta: scalar(1) };
  test.each<[Node, Readonly<Record<string, Tensor>>, number[]]>([
    [nodeOf("Range", ["start", "limit", "delta"], ["y"]), range, [2]],
    [nodeOf("Range", ["start", "limit", "delta"], ["y"]), { ...range, delta: scalar(0) }, [2]],
    [nodeOf("Split", ["x"], ["y"], { axis: int(0), num_outputs: int(100_000) }), {}, [100_000]],
    [nodeOf("EyeLike", ["x"], ["y"]), {}, [1000, 1000]],
    [
      nodeOf("OneHot", ["index", "depth", "values"], ["y"]),
      { index: int64([1], [3]), depth: scalar(100_000), values: float32([2], [0, 1]) },
      [2],
    ],
  ])("%j", (node, constants, shape) => {
    expect(() => resultOf(node, constants, shape)).toThrow(
      expect.objectContaining({ code: "INVALID_GRAPH", details: { op: node.op, node: node.op } }),
    );
  });
});

describe("folding", () => {
  test("sums up a long constant in one go", () => {
    const values = Array.from({ length: 60_000 }, (_, index) => index % 3);
    const { g, y } = resultOf(nodeOf("CumSum", ["long", "axis"], ["y"], { reverse: int(1) }), {
      long: int64([60_000], values),
      axis: scalar(0),
    });
    expect(g.numbers(y)?.slice(-4)).toEqual([5, 3, 3, 2]);
    expect(g.numbers(y)?.[0]).toBe(60_000);
  });

  test("of nothing that is written to nowhere ends", () => {
    const { g, y } = resultOf(nodeOf("ScatterND", ["data", "indices", "updates"], ["y"]), {
      data: float32([4, 0]),
      indices: int64([2, 1], [0, 3]),
      updates: float32([2, 1]),
    });
    // Of no elements, there are no numbers to have; what matters is that this line is reached.
    expect(g.numbers(y)).toEqual([]);
  });

  test("writes nothing outside of a value", () => {
    const node = nodeOf("ScatterND", ["data", "indices", "updates"], ["y"]);
    const constants = { data: float32([4]), indices: int64([1, 1], [100_000]), updates: float32([1], [5]) };
    expect(() => resultOf(node, constants)).toThrow(/writes at \[100000\], outside of \[4\]/);
  });

  test("ends where a graph has thousands of large constants", () => {
    const nodes = Array.from({ length: 400 }, (_, index) => nodeOf("Gather", ["long", "at"], [`y${index}`]));
    const graph = graphOf(nodes, { long: float32([65_536]), at: scalar(7) });
    const g = new GraphBuilder();
    translate(g, graph, { bindings: {}, outputs: nodes.map(({ outputs }) => outputs[0]) });
    expect(g.nodes.length).toBeGreaterThan(50);
    expect(g.nodes.length).toBeLessThan(300);
  });
});

describe("an export that is fixed to its sizes", () => {
  /** The shape that a Reshape of x, made for `declared`, has at another batch. */
  function reshapedAt(declared: number[], target: number[], batch: number): readonly number[] {
    const g = new GraphBuilder();
    const x = g.input("x", declared.with(0, batch));
    const node = nodeOf("Reshape", ["x", "target"], ["y"], {});
    const input: Wire = { name: "x", type: "float32", shape: declared };
    const graph = graphOf([node], { target: int64([target.length], target) });
    return translateAt(g, graph, { bindings: { x }, output: "y", prefix: "", declared: input, batch }).shape;
  }

  test("and reshapes nothing to nothing is refused", () => {
    expect(() => reshapedAt([2, 3, 0], [5, 7, -1], 4)).toThrow(
      expect.objectContaining({ code: "INVALID_GRAPH", message: expect.stringMatching(/nothing clear/) }),
    );
  });

  test("is not looked through for all ways to change an axis", () => {
    const twos = Array(25).fill(2);
    expect(reshapedAt([2, 2 ** 24], twos, 4)).toEqual([4, ...twos.slice(1)]);
  });
});
