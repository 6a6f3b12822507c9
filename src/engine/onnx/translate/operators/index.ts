import type { Node } from "../../graph.ts";
import { cannot, type Operator, type OperatorTable } from "../operator.ts";
import { elementwise } from "./elementwise.ts";
import { gather } from "./gather.ts";
import { linear } from "./linear.ts";
import { microsoft } from "./microsoft.ts";
import { reduce } from "./reduce.ts";
import { shape } from "./shape.ts";

/** Operators by the domain that they belong to; the standard ones have none. */
const DOMAINS: Readonly<Record<string, OperatorTable>> = {
  "": { ...elementwise, ...gather, ...linear, ...reduce, ...shape },
  "com.microsoft": microsoft,
};

const QUANTISED = /Quantize|Integer|NBits|^QLinear|^Q[A-Z]|^(Bnb4|MatMulFpQ4)/;
const STEPWISE = /^(Loop|Scan|Sequence|Optional)|Sequence/;

/** The translation of a node's operator. Throws INVALID_GRAPH where there is none, saying why. */
export function operatorOf(node: Node): Operator {
  const table = DOMAINS[node.domain ?? ""];
  if (table && Object.hasOwn(table, node.op)) return table[node.op];
  if (QUANTISED.test(node.op))
    cannot(
      node,
      "belongs to a quantised export, which has no exact gradients; use the one in float32 or float16",
    );
  if (node.domain === "com.microsoft.nchwc")
    cannot(node, "was optimised for one processor; use the export before that, or one optimised less");
  if (STEPWISE.test(node.op))
    cannot(node, "runs step by step over sequences, which cannot be differentiated here");
  return cannot(node, "is not an operator that the engine knows; export the model without it");
}

/** Every operator that can be translated, by its domain. */
export const TRANSLATED: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries(DOMAINS).map(([domain, table]) => [domain, Object.keys(table)]),
);
