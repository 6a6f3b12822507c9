import { describe, expect, test } from "@jest/globals";
import { GraphBuilder } from "../../../../src/engine/onnx/builder.ts";
import type { Graph, Wire } from "../../../../src/engine/onnx/graph.ts";
import { type Tensor, toInitializer, toNumbers } from "../../../../src/engine/onnx/tensor.ts";
import { TRANSLATED } from "../../../../src/engine/onnx/translate/operators/index.ts";
import { translate } from "../../../../src/engine/onnx/translate/translate.ts";
import { runTensors } from "../../support/onnxruntime.ts";
import { type Case, cases } from "./cases.ts";

/** A graph of one node. */
function single({ op, domain, opset, attributes, inputs, outputs }: Case): Graph {
  const names = inputs.map((input, index) => (input === undefined ? "" : `in${index}`));
  const wires = inputs.flatMap((input, index): Wire[] =>
    input && !input.known ? [{ name: `in${index}`, type: input.tensor.type, shape: input.tensor.shape }] : [],
  );
  const constants = inputs.flatMap((input, index) =>
    input?.known ? [[`in${index}`, toInitializer(`in${index}`, input.tensor)] as const] : [],
  );
  const results = outputs.map((type, index): Wire => ({ name: `out${index}`, type, shape: [Number.NaN] }));
  const node = {
    op,
    domain,
    name: "node",
    inputs: names,
    outputs: results.map(({ name }) => name),
    attributes,
  };
  return {
    name: op,
    opset,
    inputs: wires,
    outputs: results,
    nodes: [node],
    initializers: new Map(constants),
    values: new Map(),
  };
}

function feedsOf({ inputs }: Case): Record<string, Tensor> {
  const fed = inputs.flatMap((input, index): [string, Tensor][] =>
    input && !input.known ? [[`in${index}`, input.tensor]] : [],
  );
  return Object.fromEntries(fed);
}

/** The graph translated, its inputs bound to inputs or to constants. */
function translated(graph: Graph, feeds: Record<string, Tensor>, asConstants: boolean): Graph {
  const g = new GraphBuilder();
  const bindings = Object.entries(feeds).map(([name, tensor]): [string, Wire] => [
    name,
    asConstants ? g.constant(tensor) : g.input(name, tensor.shape, tensor.type),
  ]);
  const names = graph.outputs.map(({ name }) => name);
  const { outputs } = translate(g, graph, { bindings: Object.fromEntries(bindings), outputs: names });
  outputs.forEach((wire, index) => void g.output(wire, `out${index}`));
  return g.build();
}

function expectSame(actual: Record<string, Tensor>, expected: Record<string, Tensor>): void {
  for (const [name, { type, shape, ...tensor }] of Object.entries(expected)) {
    expect({ type: actual[name].type, shape: actual[name].shape }).toEqual({ type, shape });
    const numbers = toNumbers({ type, shape, data: tensor.data });
    toNumbers(actual[name]).forEach((value, index) => {
      if (Number.isFinite(numbers[index])) expect(value).toBeCloseTo(numbers[index], 4);
      else expect(value).toBe(numbers[index]);
    });
  }
}

describe("an operator of the standard or of ONNX Runtime, at the versions that exporters write", () => {
  test.each(cases.map((each): [string, Case] => [each.name, each]))("%s", async (_name, each) => {
    const graph = single(each);
    const feeds = feedsOf(each);
    const expected = await runTensors(graph, feeds);
    const mine = translated(graph, feeds, false);
    expect(mine.opset).toBe(18);
    expect(mine.nodes.every(({ domain }) => domain === undefined)).toBe(true);
    expectSame(await runTensors(mine, feeds), expected);
    if (Object.keys(feeds).length > 0) expectSame(await runTensors(translated(graph, feeds, true)), expected);
  });

  test("each has its case", () => {
    for (const [domain, operators] of Object.entries(TRANSLATED)) {
      const covered = new Set(cases.filter((each) => (each.domain ?? "") === domain).map(({ op }) => op));
      expect(operators.filter((op) => !covered.has(op))).toEqual([]);
    }
  });
});
