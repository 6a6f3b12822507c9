import { LinearBuilder } from "./builder/linear.ts";

export type { BuilderOptions, Operand, Provider } from "./builder/core.ts";
export type { ConvOptions, ConvTransposeOptions, GemmOptions, PoolOptions } from "./builder/linear.ts";
export type { ReduceOptions } from "./builder/reduce.ts";

/**
 * Builds a graph operator by operator; every value knows its type and static shape at once, so a mistake is
 * reported (INVALID_GRAPH) where it is made. Each family of operators is one layer under src/engine/onnx/builder.
 */
export class GraphBuilder extends LinearBuilder {}
