import type { Node } from "../../../src/engine/onnx/graph.ts";
import type { Value } from "./values.ts";

/** One ONNX operator, computed slowly and plainly; shapes are those that the builder inferred. */
export type Operator = (context: {
  readonly node: Node;
  /** Undefined where an optional input is absent. */
  readonly inputs: readonly Value[];
  readonly outputShapes: readonly (readonly number[])[];
}) => readonly Value[];
