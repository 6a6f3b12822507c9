import { describe, expect, test } from "@jest/globals";
import { gradients } from "../../../src/engine/autodiff/gradients.ts";
import { GraphBuilder } from "../../../src/engine/onnx/builder.ts";
import type { Graph } from "../../../src/engine/onnx/graph.ts";
import { type Tensor, tensorOf } from "../../../src/engine/onnx/tensor.ts";
import { interpret } from "../reference/interpreter.ts";
import type { Value } from "../reference/values.ts";
import { relativeError, runFloat32 } from "../support/onnxruntime.ts";
import { randomValue, uniform } from "../support/random.ts";
import { type Case, cases } from "./cases.ts";

const STEP = 1e-5;

/** Outputs: y, the loss ⟨y, u⟩ and its gradients, the second loss Σ⟨gradient, w⟩ and its gradients. */
function compile({ shapes, f }: Case, float: "float32" | "float64"): Graph {
  const g = new GraphBuilder({ float });
  const random = uniform(7);
  const weights = (shape: readonly number[]): Tensor =>
    tensorOf(float, shape, [...randomValue(shape, random).data]);
  const inputs = shapes.map((shape, index) => g.input(`x${index}`, shape));
  const y = f(g, ...inputs);
  const loss = g.reduceSum(g.mul(y, g.constant(weights(y.shape))));
  const first = gradients(g, loss, inputs);
  const terms = first.map((gradient) => g.reduceSum(g.mul(gradient, g.constant(weights(gradient.shape)))));
  const secondLoss = terms.reduce((sum, term) => g.add(sum, term));
  const second = gradients(g, secondLoss, inputs);
  g.output(g.identity(y), "y");
  g.output(loss, "loss");
  first.forEach((gradient, index) => void g.output(gradient, `gradient${index}`));
  g.output(secondLoss, "secondLoss");
  second.forEach((gradient, index) => void g.output(gradient, `second${index}`));
  return g.build();
}

/** One output by its name. */
function evaluate(graph: Graph, feeds: readonly Value[]): (name: string) => Value {
  const results = interpret(graph, named(feeds));
  return (name) => results[graph.outputs.findIndex((wire) => wire.name === name)];
}

function named(feeds: readonly Value[]): Record<string, Value> {
  return Object.fromEntries(feeds.map((value, index) => [`x${index}`, value]));
}

function moved(feeds: readonly Value[], directions: readonly Value[], step: number): Value[] {
  return feeds.map(({ shape, data }, i) => ({
    shape,
    data: data.map((x, j) => x + step * directions[i].data[j]),
  }));
}

/** Central difference of a scalar output along a direction. */
function slope(graph: Graph, output: string, feeds: readonly Value[], directions: readonly Value[]): number {
  const [ahead, behind] = [STEP, -STEP].map(
    (step) => evaluate(graph, moved(feeds, directions, step))(output).data[0],
  );
  return (ahead - behind) / (2 * STEP);
}

function dot(a: readonly Value[], b: readonly Value[]): number {
  return a.reduce((sum, { data }, i) => data.reduce((inner, x, j) => inner + x * b[i].data[j], sum), 0);
}

function unit(feeds: readonly Value[], input: number, element: number): Value[] {
  return feeds.map(({ shape, data }, index) => ({
    shape,
    data: data.map((_, position) => Number(index === input && position === element)),
  }));
}

describe.each(Object.entries<readonly Case[]>(cases))("%s", (_op, list) => {
  test.each(list.map((each) => [each.shapes.map((shape) => `[${shape}]`).join(" "), each] as const))(
    "%s",
    async (_name, each) => {
      const random = uniform(11);
      const [low, high] = each.positive ? [0.3, 1.8] : [-1.5, 1.5];
      const feeds = each.shapes.map((shape) => randomValue(shape, random, low, high));
      const directions = each.shapes.map((shape) => randomValue(shape, random));
      const graph = compile(each, "float64");
      const output = evaluate(graph, feeds);
      const gradientsOf = (order: string): Value[] => feeds.map((_, index) => output(`${order}${index}`));

      gradientsOf("gradient").forEach((gradient, input) => {
        expect(gradient.data.length).toBe(feeds[input].data.length);
        gradient.data.forEach((value, element) => {
          expect(value).toBeCloseTo(slope(graph, "loss", feeds, unit(feeds, input, element)), 6);
        });
      });
      expect(dot(gradientsOf("gradient"), directions)).toBeCloseTo(
        slope(graph, "loss", feeds, directions),
        6,
      );
      expect(dot(gradientsOf("second"), directions)).toBeCloseTo(
        slope(graph, "secondLoss", feeds, directions),
        5,
      );

      const float32 = compile(each, "float32");
      const actual = await runFloat32(float32, named(feeds));
      const expected = interpret(float32, named(feeds));
      expected.forEach((value, index) => {
        expect([float32.outputs[index].name, actual[index].shape]).toEqual([
          float32.outputs[index].name,
          value.shape,
        ]);
        expect(relativeError(actual[index], value)).toBeLessThan(1e-4);
      });
    },
  );
});
