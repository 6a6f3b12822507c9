import type { GraphBuilder } from "../onnx/builder.ts";
import type { Wire } from "../onnx/graph.ts";
import type { RuleContext } from "./rule.ts";
import { factorOf } from "./scale.ts";

/**
 * The gradient by x of y = x · gate(x), as of one function, where the gate is a sigmoid (SiLU, QuickGELU) or 1 + erf
 * (GELU): that is half the passes over the data which product and gate would take. Undefined where the other factor is
 * no such gate, or where what lies between is asked for.
 */
export function gatedGradient(
  { g, out: [y], grad: [dy], asked }: RuleContext,
  x: Wire,
  gate: Wire,
): Wire | undefined {
  const form = gateOf(g, gate);
  if (!form || form.inner.some((name) => asked.has(name))) return undefined;
  const factor = factorBetween(g, x, form.steep);
  if (factor === undefined || (form.steep.name !== x.name && asked.has(form.steep.name))) return undefined;
  const { steep } = form;
  if (form.kind === "sigmoid") {
    // x̄ = ȳ · σ · (1 + kx − ky)
    const rest = g.sub(steep, factor === 1 ? y : g.mul(y, factor));
    return g.mul(g.mul(dy, gate), g.add(rest, 1));
  }
  // x̄ = ȳ · (1 + erf kx + kx · 2/√π · e^(−(kx)²))
  const bell = g.exp(g.sub(Math.log(2 / Math.sqrt(Math.PI)), g.mul(steep, steep)));
  return g.mul(dy, g.add(gate, g.mul(steep, bell)));
}

interface Gate {
  readonly kind: "sigmoid" | "erf";
  /** What the sigmoid or the error function is of. */
  readonly steep: Wire;
  /** Names of what lies between that and the product. */
  readonly inner: readonly string[];
}

function gateOf(g: GraphBuilder, gate: Wire): Gate | undefined {
  const last = g.producer(gate);
  if (last?.op === "Sigmoid") return { kind: "sigmoid", steep: g.wire(last.inputs[0]), inner: [gate.name] };
  if (last?.op !== "Add") return undefined;
  const [sum, one] = last.inputs.map((name) => g.wire(name));
  const inner = g.producer(sum);
  if (inner?.op !== "Erf" || factorOf(g, one) !== 1) return undefined;
  return { kind: "erf", steep: g.wire(inner.inputs[0]), inner: [gate.name, sum.name] };
}

/** k where y is made as k · x or as x / (1/k), and 1 where it is x; undefined for anything else. */
function factorBetween(g: GraphBuilder, x: Wire, y: Wire): number | undefined {
  if (x.name === y.name) return 1;
  const node = g.producer(y);
  if (node?.inputs[0] !== x.name || !["Mul", "Div"].includes(node.op)) return undefined;
  const number = factorOf(g, g.wire(node.inputs[1]));
  return number === undefined || node.op === "Mul" ? number : 1 / number;
}
