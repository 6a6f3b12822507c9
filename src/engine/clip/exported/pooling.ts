import { GraphBuilder } from "../../onnx/builder.ts";
import { sizeOf } from "../../onnx/tensor.ts";
import { translate } from "../../onnx/translate/translate.ts";
import type { TextPooling } from "../architecture.ts";
import type { Port } from "./ports.ts";

/** Comparisons that are looked into; each takes a walk through the graph, and real ones come first. */
const MOST_TRIED = 64;

/** How a text export finds the position that it pools: by comparing ids with one, or by their highest. */
export function poolingOf({ graph, dependence, input }: Port): TextPooling {
  const comparing = graph.nodes.filter(
    ({ op, inputs }) => op === "Equal" && inputs.some((name) => dependence.get(name)?.has(input.name)),
  );
  for (const { inputs } of comparing.slice(0, MOST_TRIED)) {
    const other = inputs.find((name) => !dependence.get(name)?.size);
    const token = other === undefined ? undefined : constantNumber(graph, other);
    if (token !== undefined) return { kind: "token", token };
  }
  return { kind: "argmax" };
}

/** The number that a value is, where it depends on no input, not even on its shape. */
export function constantNumber(graph: Port["graph"], name: string): number | undefined {
  try {
    const g = new GraphBuilder();
    const [value] = translate(g, graph, { bindings: {}, outputs: [name] }).outputs;
    return sizeOf(value.shape) === 1 ? g.numbers(value)?.[0] : undefined;
  } catch {
    return undefined;
  }
}
