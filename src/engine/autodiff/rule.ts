import { AppError } from "../../errors.ts";
import type { GraphBuilder } from "../onnx/builder.ts";
import type { Node, Wire } from "../onnx/graph.ts";

/** What a rule sees: a node of the forward graph and the gradient of the loss by each of its outputs. */
export interface RuleContext {
  readonly g: GraphBuilder;
  readonly node: Node;
  /** Undefined where an optional input is absent. */
  readonly in: readonly Wire[];
  readonly out: readonly Wire[];
  /** The first is always there; a later one is undefined where that output does not reach the loss. */
  readonly grad: readonly Wire[];
  /** Names of the values that gradients are asked by; what is between others is the rules' own affair. */
  readonly asked: ReadonlySet<string>;
}

/**
 * Appends the gradients by a node's inputs and returns them in the order of the inputs; undefined, or a shorter
 * list, where an input has none. Rules are pure, eager and unconditional: what nobody needs is pruned later.
 * They emit only operators that have rules themselves, so gradients can be differentiated again.
 */
export type Rule = (context: RuleContext) => readonly (Wire | undefined)[];

/** A form of an operator that its rule does not cover. Always throws OP_NOT_DIFFERENTIABLE. */
export function unsupported(node: Node, form: string): never {
  throw new AppError(
    "OP_NOT_DIFFERENTIABLE",
    `Cannot differentiate through ${node.op} (node "${node.name}") ${form}. Extend its rule in src/engine/autodiff/rules.`,
    { op: node.op, node: node.name },
  );
}

/** The numbers of an input that has to be a constant, such as the axes of a Slice. */
export function constantOf(g: GraphBuilder, node: Node, wire: Wire): number[] {
  return g.numbers(wire) ?? unsupported(node, `whose input "${wire.name}" is not a constant`);
}
