import { AppError } from "../../../errors.ts";
import type { GraphBuilder } from "../builder.ts";
import type { Node, Shape, Wire } from "../graph.ts";

/** What an operator's translation sees: a node of the imported graph, whose inputs stand in the builder already. */
export interface OperatorContext {
  readonly g: GraphBuilder;
  readonly node: Node;
  /** The version of the standard operators that the node is written for. */
  readonly opset: number;
  /** Undefined where an optional input is absent. */
  readonly in: readonly Wire[];
  readonly sizes: Sizes;
}

/**
 * How an export of fixed sizes is brought to others. Exports with open axes compute their shapes; the others hold
 * the numbers that they were traced with.
 */
export interface Sizes {
  /** What a shape that the export holds as numbers is at the sizes wanted. */
  target(node: Node, x: Wire, shape: Shape): Shape;
  /** Operands that are to broadcast, with constants cut to the sizes wanted. */
  fit(operands: readonly Wire[]): readonly Wire[];
  /** Parts that are to be joined on an axis, with constants repeated to the sizes wanted. */
  join(parts: readonly Wire[], axis: number): readonly Wire[];
}

/** Exports with open axes need no help. */
export const OPEN_SIZES: Sizes = {
  target: (_node, _x, shape) => shape,
  fit: (operands) => operands,
  join: (parts) => parts,
};

/** Writes one node of the export by what the builder has: opset 18, static shapes, operators with gradients. */
export type Operator = (context: OperatorContext) => Wire | readonly Wire[];

export type OperatorTable = Readonly<Record<string, Operator>>;

/** A node that the engine cannot take over. Always throws INVALID_GRAPH, naming the operator and the node. */
export function cannot(node: Node, problem: string): never {
  const op = node.domain ? `${node.domain}.${node.op}` : node.op;
  throw new AppError("INVALID_GRAPH", `${op} (node "${node.name}") ${problem}.`, { op, node: node.name });
}

/** The numbers of an input that has to be known before any data is: a shape, axes, pads. */
export function known({ g, node, in: list }: OperatorContext, index: number): number[] {
  return (
    g.numbers(list[index]) ??
    cannot(node, `has an input (number ${index + 1}) that depends on data, not on shapes alone`)
  );
}

/** The same of an optional input. */
export function knownIfThere(context: OperatorContext, index: number): number[] | undefined {
  return context.in[index] ? known(context, index) : undefined;
}
