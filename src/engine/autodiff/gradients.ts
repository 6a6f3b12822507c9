import { AppError } from "../../errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { ElementType, Node, Wire } from "../onnx/graph.ts";
import { sameShape } from "../onnx/shapes.ts";
import { sizeOf } from "../onnx/tensor.ts";
import { accumulate } from "./accumulate.ts";
import { ruleOf } from "./rules/index.ts";

/**
 * Reverse-mode differentiation: appends the backward pass of a scalar loss to its graph and returns the gradient
 * by each of the given values, with their shapes. A seed replaces the loss's own gradient of 1; with a seed of the
 * same shape the "loss" may be any value (a vector-Jacobian product). A value that the loss does not depend on has
 * a gradient of zeros. Throws OP_NOT_DIFFERENTIABLE for an operator without a rule on the way.
 */
export function gradients(
  g: GraphBuilder,
  loss: Wire,
  withRespectTo: readonly Wire[],
  seed: Wire = unitSeed(g, loss),
): Wire[] {
  if (!sameShape(seed.shape, loss.shape))
    throw new AppError("INVALID_GRAPH", `The seed has shape [${seed.shape}], the loss [${loss.shape}].`);
  const forward = [...g.nodes];
  const asked = new Set(withRespectTo.map((wire) => wire.name));
  const active = descendants(g, forward, asked);
  const contributions = new Map<string, Wire[]>([[loss.name, [seed]]]);
  const gradientOf = (name: string): Wire | undefined => {
    const list = contributions.get(name);
    if (list && list.length > 1) contributions.set(name, [accumulate(g, list)]);
    return contributions.get(name)?.[0];
  };
  for (const node of forward.toReversed()) {
    const reachesLoss = node.outputs.some((name) => active.has(name) && contributions.has(name));
    if (!reachesLoss || !node.inputs.some((name) => active.has(name))) continue;
    differentiate(g, node, node.outputs.map(gradientOf), asked).forEach((gradient, index) => {
      const name = node.inputs[index];
      if (gradient && active.has(name))
        contributions.set(name, [...(contributions.get(name) ?? []), gradient]);
    });
  }
  return withRespectTo.map((wire) => gradientOf(wire.name) ?? g.zeros(wire.shape, wire.type));
}

function unitSeed(g: GraphBuilder, loss: Wire): Wire {
  if (sizeOf(loss.shape) !== 1)
    throw new AppError(
      "INVALID_GRAPH",
      `The loss has shape [${loss.shape}]; reduce it to a scalar or give a seed.`,
    );
  return g.filled(loss.shape, 1, loss.type);
}

const CONTINUOUS: readonly ElementType[] = ["float32", "float64", "float16", "bfloat16"];

/** Names of the continuous values that depend on the roots: only on these does a gradient travel. */
function descendants(g: GraphBuilder, nodes: readonly Node[], roots: ReadonlySet<string>): Set<string> {
  const active = new Set(roots);
  for (const node of nodes) {
    if (!node.inputs.some((name) => active.has(name))) continue;
    for (const name of node.outputs)
      if (name !== "" && CONTINUOUS.includes(g.wire(name).type) && !g.detached.has(name)) active.add(name);
  }
  return active;
}

function differentiate(
  g: GraphBuilder,
  node: Node,
  [first, ...others]: readonly (Wire | undefined)[],
  asked: ReadonlySet<string>,
): readonly (Wire | undefined)[] {
  const wires = (names: readonly string[]): Wire[] =>
    names.map((name) => (name === "" ? undefined : g.wire(name)) as Wire);
  const out = wires(node.outputs);
  const grad = [first ?? g.zeros(out[0].shape, out[0].type), ...others] as Wire[];
  return ruleOf(node)({ g, node, in: wires(node.inputs), out, grad, asked });
}
