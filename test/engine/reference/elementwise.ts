import { floatOf } from "../../../src/engine/onnx/attributes.ts";
import { broadcast } from "../../../src/engine/onnx/shapes.ts";
import type { Operator } from "./operator.ts";
import { broadcastAt, make } from "./values.ts";

const pointwise =
  (compute: (...operands: number[]) => number): Operator =>
  ({ inputs }) => {
    const shape = broadcast(...inputs.map((value) => value.shape));
    return [make(shape, (index) => compute(...inputs.map((value) => broadcastAt(value, index))))];
  };

/** The error function by its series and, in the tail, its continued fraction; both to about 1e-15. */
function erf(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude > 6) return Math.sign(x);
  if (magnitude < 2.5) {
    let [term, sum] = [x, x];
    for (let n = 1; n < 80; n += 1) {
      term *= (-x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 120; n > 0; n -= 1) fraction = n / 2 / (magnitude + fraction);
  return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (magnitude + fraction));
}

function roundHalfToEven(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

export const elementwise: Readonly<Record<string, Operator>> = {
  Add: pointwise((a, b) => a + b),
  Sub: pointwise((a, b) => a - b),
  Mul: pointwise((a, b) => a * b),
  Div: pointwise((a, b) => a / b),
  Pow: pointwise((a, b) => a ** b),
  Neg: pointwise((x) => -x),
  Abs: pointwise(Math.abs),
  Sign: pointwise(Math.sign),
  Floor: pointwise(Math.floor),
  Round: pointwise(roundHalfToEven),
  Exp: pointwise(Math.exp),
  Log: pointwise(Math.log),
  Sqrt: pointwise(Math.sqrt),
  Sin: pointwise(Math.sin),
  Cos: pointwise(Math.cos),
  Tanh: pointwise(Math.tanh),
  Erf: pointwise(erf),
  Sigmoid: pointwise((x) => 1 / (1 + Math.exp(-x))),
  HardSigmoid: (context) => {
    const [slope, offset] = [floatOf(context.node, "alpha", 0.2), floatOf(context.node, "beta", 0.5)];
    return pointwise((x) => Math.min(Math.max(slope * x + offset, 0), 1))(context);
  },
  Relu: pointwise((x) => Math.max(x, 0)),
  Clip: pointwise((x, low, high) => Math.min(Math.max(x, low), high)),
  Max: pointwise(Math.max),
  Min: pointwise(Math.min),
  Where: pointwise((condition, a, b) => (condition ? a : b)),
  Equal: pointwise((a, b) => Number(a === b)),
  Greater: pointwise((a, b) => Number(a > b)),
  GreaterOrEqual: pointwise((a, b) => Number(a >= b)),
  Less: pointwise((a, b) => Number(a < b)),
  LessOrEqual: pointwise((a, b) => Number(a <= b)),
  And: pointwise((a, b) => a && b),
  Or: pointwise((a, b) => a || b),
  Not: pointwise((x) => Number(!x)),
  Identity: ({ inputs }) => inputs,
  Cast: ({ inputs }) => inputs,
};
