import { floatOf } from "../../onnx/attributes.ts";
import type { GraphBuilder } from "../../onnx/builder.ts";
import type { Wire } from "../../onnx/graph.ts";
import { gatedGradient } from "../gate.ts";
import type { Rule, RuleContext } from "../rule.ts";
import { factorOf, scale } from "../scale.ts";

export const elementwise = {
  // y = a + b        ā = ȳ            b̄ = ȳ
  Add: ({ g, in: [a, b], grad: [dy] }) => [g.sumTo(dy, a.shape), g.sumTo(dy, b.shape)],

  // y = a − b        ā = ȳ            b̄ = −ȳ
  Sub: ({ g, in: [a, b], grad: [dy] }) => [g.sumTo(dy, a.shape), g.neg(g.sumTo(dy, b.shape))],

  // y = a · b        ā = ȳ · b        b̄ = ȳ · a
  Mul: (context) => {
    const {
      g,
      in: [a, b],
      grad: [dy],
    } = context;
    const [byA, byB] = [gatedGradient(context, a, b), gatedGradient(context, b, a)];
    if (byA) return [byA];
    if (byB) return [undefined, byB];
    return [g.sumTo(times(g, dy, b), a.shape), g.sumTo(times(g, dy, a), b.shape)];
  },

  // y = a / b        ā = ȳ / b        b̄ = −ȳ · y / b
  Div: ({ g, in: [a, b], out: [y], grad: [dy] }) => {
    const divisor = factorOf(g, b);
    const da = divisor === undefined ? g.div(dy, b) : scale(g, dy, 1 / divisor);
    return [g.sumTo(da, a.shape), g.neg(g.sumTo(g.mul(da, y), b.shape))];
  },

  // y = xᵖ           x̄ = ȳ · p · xᵖ⁻¹     p̄ = ȳ · y · log x
  Pow: ({ g, in: [x, p], out: [y], grad: [dy] }) => [
    g.sumTo(g.mul(dy, powerSlope(g, x, p)), x.shape),
    p.type === x.type ? g.sumTo(g.mul(dy, g.mul(y, g.log(x))), p.shape) : undefined,
  ],

  // y = −x           x̄ = −ȳ
  Neg: ({ g, grad: [dy] }) => [g.neg(dy)],

  // y = |x|          x̄ = ȳ · sign x
  Abs: ({ g, in: [x], grad: [dy] }) => [g.mul(dy, g.sign(x))],

  // y = eˣ           x̄ = ȳ · y
  Exp: ({ g, out: [y], grad: [dy] }) => [g.mul(dy, y)],

  // y = log x        x̄ = ȳ / x
  Log: ({ g, in: [x], grad: [dy] }) => [g.div(dy, x)],

  // y = √x           x̄ = ȳ / 2y
  Sqrt: ({ g, out: [y], grad: [dy] }) => [g.div(dy, g.mul(2, y))],

  // y = sin x        x̄ = ȳ · cos x
  Sin: ({ g, in: [x], grad: [dy] }) => [g.mul(dy, g.cos(x))],

  // y = cos x        x̄ = −ȳ · sin x
  Cos: ({ g, in: [x], grad: [dy] }) => [g.neg(g.mul(dy, g.sin(x)))],

  // y = tanh x       x̄ = ȳ · (1 − y²)
  Tanh: ({ g, out: [y], grad: [dy] }) => [g.mul(dy, g.sub(1, g.mul(y, y)))],

  // y = σ(x)         x̄ = ȳ · y · (1 − y)
  Sigmoid: ({ g, out: [y], grad: [dy] }) => [g.mul(dy, g.mul(y, g.sub(1, y)))],

  // y = erf x        x̄ = ȳ · 2/√π · e^(−x²)
  Erf: ({ g, in: [x], grad: [dy] }) => [
    scale(g, g.mul(dy, g.exp(g.neg(g.mul(x, x)))), 2 / Math.sqrt(Math.PI)),
  ],

  // y = max(x, 0)    x̄ = ȳ where y > 0
  Relu: ({ g, out: [y], grad: [dy] }) =>
    g.provider === "cpu" && y.type === "float32"
      ? [g.mul(dy, stepOf(g, y))]
      : [g.where(g.greater(y, 0), dy, 0)],

  // y = s x + o in [0, 1]    x̄ = ȳ · s where 0 < y < 1
  HardSigmoid: ({ g, node, out: [y], grad: [dy] }) => [
    g.where(g.and(g.greater(y, 0), g.less(y, 1)), scale(g, dy, floatOf(node, "alpha", 0.2)), 0),
  ],

  // y = x in [l, h]  x̄ = ȳ where y = x
  Clip: ({ g, in: [x], out: [y], grad: [dy] }) => [g.where(g.equal(x, y), dy, 0)],

  // y = max(…)       x̄ᵢ = ȳ / n where xᵢ = y, n of them being equal
  Max: (context) => shareAmongEqual(context),
  Min: (context) => shareAmongEqual(context),

  // y = c ? a : b    ā = c ? ȳ : 0    b̄ = c ? 0 : ȳ
  Where: ({ g, in: [c, a, b], grad: [dy] }) => [
    undefined,
    g.sumTo(g.where(c, dy, 0), a.shape),
    g.sumTo(g.where(c, 0, dy), b.shape),
  ],

  // Flat almost everywhere.
  Sign: () => [],
  Floor: () => [],
  Round: () => [],

  Identity: ({ grad: [dy] }) => [dy],
  Cast: ({ g, in: [x], grad: [dy] }) => [g.cast(dy, x.type)],
} satisfies Record<string, Rule>;

function times(g: GraphBuilder, dy: Wire, factor: Wire): Wire {
  const constant = factorOf(g, factor);
  return constant === undefined ? g.mul(dy, factor) : scale(g, dy, constant);
}

/**
 * 1 where y > 0 and 0 elsewhere, for y ≥ 0: a slope so steep that it is a step. ONNX Runtime's Where takes seven times
 * as long on a CPU, and has feature maps copied out of the layout that convolutions keep them in; this does neither.
 */
function stepOf(g: GraphBuilder, y: Wire): Wire {
  return g.detach(g.hardSigmoid(y, 1e30, 0));
}

/** p · xᵖ⁻¹, without a power for squares and cubes. */
function powerSlope(g: GraphBuilder, x: Wire, p: Wire): Wire {
  const exponent = factorOf(g, p);
  if (exponent === 2) return g.mul(2, x);
  if (exponent === 3) return g.mul(3, g.mul(x, x));
  const power = g.cast(p, x.type);
  return g.mul(power, g.pow(x, g.sub(power, 1)));
}

function shareAmongEqual({ g, in: list, out: [y], grad: [dy] }: RuleContext): Wire[] {
  const chosen = list.map((x) => g.cast(g.equal(x, y), y.type));
  const share = g.div(
    dy,
    chosen.reduce((count, mask) => g.add(count, mask)),
  );
  return list.map((x, index) => g.sumTo(g.mul(share, chosen[index]), x.shape));
}
