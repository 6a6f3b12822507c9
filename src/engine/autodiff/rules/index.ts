import { AppError } from "../../../errors.ts";
import type { Node } from "../../onnx/graph.ts";
import type { Rule } from "../rule.ts";
import { convolution } from "./convolution.ts";
import { elementwise } from "./elementwise.ts";
import { gather } from "./gather.ts";
import { linear } from "./linear.ts";
import { normalize } from "./normalize.ts";
import { reduce } from "./reduce.ts";
import { shape } from "./shape.ts";

const rules = { ...elementwise, ...linear, ...convolution, ...reduce, ...normalize, ...shape, ...gather };

/** Every operator that gradients can pass. */
export type DifferentiableOp = keyof typeof rules;

/** The rule of a node's operator. Throws OP_NOT_DIFFERENTIABLE where there is none. */
export function ruleOf(node: Node): Rule {
  const rule = Object.hasOwn(rules, node.op) ? rules[node.op as DifferentiableOp] : undefined;
  if (rule) return rule;
  throw new AppError(
    "OP_NOT_DIFFERENTIABLE",
    `Cannot differentiate through ${node.op} (node "${node.name}"). Add a rule in src/engine/autodiff/rules.`,
    { op: node.op, node: node.name },
  );
}
