import { floatOf, int, intOf } from "../../attributes.ts";
import type { GraphBuilder } from "../../builder.ts";
import { ELEMENT_TYPES } from "../../element-numbers.ts";
import type { ElementType, Wire } from "../../graph.ts";
import { broadcast } from "../../shapes.ts";
import { cannot, knownIfThere, type Operator, type OperatorTable } from "../operator.ts";

type Pair = (g: GraphBuilder, a: Wire, b: Wire) => Wire;

/** An operator of two or more values that broadcast. */
function folded(f: Pair): Operator {
  return ({ g, in: list, sizes }) => sizes.fit(list).reduce((a, b) => f(g, a, b));
}

/** An operator of one value. */
function each(f: (g: GraphBuilder, x: Wire) => Wire): Operator {
  return ({ g, in: [x] }) => f(g, x);
}

export const elementwise: OperatorTable = {
  Add: folded((g, a, b) => g.add(a, b)),
  Sum: folded((g, a, b) => g.add(a, b)),
  Sub: folded((g, a, b) => g.sub(a, b)),
  Mul: folded((g, a, b) => g.mul(a, b)),
  Div: folded((g, a, b) => g.div(a, b)),
  Min: folded((g, a, b) => g.min(a, b)),
  Max: folded((g, a, b) => g.max(a, b)),
  Equal: folded((g, a, b) => g.equal(a, b)),
  Greater: folded((g, a, b) => g.greater(a, b)),
  GreaterOrEqual: folded((g, a, b) => g.greaterOrEqual(a, b)),
  Less: folded((g, a, b) => g.less(a, b)),
  LessOrEqual: folded((g, a, b) => g.lessOrEqual(a, b)),
  And: folded((g, a, b) => g.and(a, b)),
  Or: folded((g, a, b) => g.or(a, b)),
  Xor: folded((g, a, b) => g.one("Xor", [a, b], broadcast(a.shape, b.shape), {}, "bool")),
  Mean: (context) => context.g.div(elementwise.Sum(context) as Wire, context.in.length),
  Pow: ({ g, in: list, sizes }) => {
    const [x, exponent] = sizes.fit(list);
    return g.pow(x, isFloating(x) ? g.cast(exponent, x.type) : exponent);
  },
  Mod: ({ g, node, in: list, sizes }) => {
    const [a, b] = sizes.fit(list);
    return g.one("Mod", [a, b], broadcast(a.shape, b.shape), { fmod: int(intOf(node, "fmod", 0)) });
  },
  Where: ({ g, in: list, sizes }) => {
    const [condition, a, b] = sizes.fit(list);
    return g.where(condition, a, b);
  },

  Neg: each((g, x) => g.neg(x)),
  Abs: each((g, x) => g.abs(x)),
  Sign: each((g, x) => g.sign(x)),
  Exp: each((g, x) => g.exp(x)),
  Log: each((g, x) => g.log(x)),
  Sqrt: each((g, x) => g.sqrt(x)),
  Reciprocal: each((g, x) => g.div(1, x)),
  Sin: each((g, x) => g.sin(x)),
  Cos: each((g, x) => g.cos(x)),
  Tanh: each((g, x) => g.tanh(x)),
  Erf: each((g, x) => g.erf(x)),
  Sigmoid: each((g, x) => g.sigmoid(x)),
  Relu: each((g, x) => g.relu(x)),
  Floor: each((g, x) => g.floor(x)),
  Ceil: each((g, x) => g.neg(g.floor(g.neg(x)))),
  Round: each((g, x) => g.round(x)),
  Not: each((g, x) => g.not(x)),
  IsNaN: each((g, x) => g.one("IsNaN", [x], x.shape, {}, "bool")),
  IsInf: ({ g, node, in: [x] }) => {
    const attributes = {
      detect_negative: int(intOf(node, "detect_negative", 1)),
      detect_positive: int(intOf(node, "detect_positive", 1)),
    };
    return g.one("IsInf", [x], x.shape, attributes, "bool");
  },
  Identity: each((_, x) => x),
  Dropout: ({ g, node, in: [x, , training] }) => {
    if (training && (g.numbers(training)?.[0] ?? 1) !== 0)
      cannot(node, "is in training mode; export the model with eval()");
    return x;
  },
  Clip: (context) => {
    const {
      g,
      node,
      in: [x],
    } = context;
    const low = knownIfThere(context, 1)?.[0] ?? floatOf(node, "min", Number.NEGATIVE_INFINITY);
    const high = knownIfThere(context, 2)?.[0] ?? floatOf(node, "max", Number.POSITIVE_INFINITY);
    if (low === Number.NEGATIVE_INFINITY) return high === Number.POSITIVE_INFINITY ? x : g.min(x, high);
    return high === Number.POSITIVE_INFINITY ? g.max(x, low) : g.clip(x, low, high);
  },
  Cast: ({ g, node, in: [x] }) => {
    const type = ELEMENT_TYPES.get(intOf(node, "to", 1));
    return type && type !== "string"
      ? cast(g, x, type)
      : cannot(node, "casts to a type that is not supported");
  },
  CastLike: ({ g, in: [x, like] }) => cast(g, x, like.type),

  // y = log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)
  Softplus: each((g, x) => g.add(g.relu(x), g.log(g.add(1, g.exp(g.neg(g.abs(x))))))),
  // y = x where x > 0, αx elsewhere
  LeakyRelu: ({ g, node, in: [x] }) => g.where(g.greater(x, 0), x, g.mul(x, floatOf(node, "alpha", 0.01))),
  HardSigmoid: ({ g, node, in: [x] }) =>
    g.clip(g.add(g.mul(x, floatOf(node, "alpha", 0.2)), floatOf(node, "beta", 0.5)), 0, 1),
  HardSwish: each((g, x) => g.mul(x, g.clip(g.add(g.div(x, 6), 0.5), 0, 1))),
  // y = x · Φ(x)
  Gelu: ({ g, node, in: [x] }) =>
    node.attributes.approximate?.value === "tanh" ? tanhGelu(g, x) : gelu(g, x),
};

function isFloating({ type }: Wire): boolean {
  return type === "float32" || type === "float64";
}

/** All floating types are the builder's: a network that was exported with 16 bits is computed with 32. */
export function cast(g: GraphBuilder, x: Wire, type: ElementType): Wire {
  return g.cast(x, type.includes("float") ? g.float : type);
}

export function gelu(g: GraphBuilder, x: Wire): Wire {
  return g.mul(g.mul(x, 0.5), g.add(1, g.erf(g.mul(x, Math.SQRT1_2))));
}

// y = ½x · (1 + tanh(√(2/π) · (x + 0.044715x³)))
export function tanhGelu(g: GraphBuilder, x: Wire): Wire {
  const cubic = g.add(x, g.mul(0.044715, g.mul(x, g.mul(x, x))));
  return g.mul(g.mul(0.5, x), g.add(1, g.tanh(g.mul(Math.sqrt(2 / Math.PI), cubic))));
}
