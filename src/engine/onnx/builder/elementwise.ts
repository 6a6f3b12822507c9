import { float, int } from "../attributes.ts";
import { ELEMENT_NUMBERS } from "../element-numbers.ts";
import type { ElementType, Wire } from "../graph.ts";
import { broadcast } from "../shapes.ts";
import { GraphCore, type Operand } from "./core.ts";

/** Operators that act on every element, with NumPy broadcasting. */
export class ElementwiseBuilder extends GraphCore {
  add(a: Operand, b: Operand): Wire {
    return this.broadcasting("Add", [a, b]);
  }

  sub(a: Operand, b: Operand): Wire {
    return this.broadcasting("Sub", [a, b]);
  }

  mul(a: Operand, b: Operand): Wire {
    return this.broadcasting("Mul", [a, b]);
  }

  div(a: Operand, b: Operand): Wire {
    return this.broadcasting("Div", [a, b]);
  }

  pow(a: Operand, exponent: Operand): Wire {
    return this.broadcasting("Pow", [a, exponent]);
  }

  min(...list: readonly Operand[]): Wire {
    return this.broadcasting("Min", list);
  }

  max(...list: readonly Operand[]): Wire {
    return this.broadcasting("Max", list);
  }

  neg(x: Wire): Wire {
    return this.one("Neg", [x], x.shape);
  }

  abs(x: Wire): Wire {
    return this.one("Abs", [x], x.shape);
  }

  sign(x: Wire): Wire {
    return this.one("Sign", [x], x.shape);
  }

  exp(x: Wire): Wire {
    return this.one("Exp", [x], x.shape);
  }

  /** Natural logarithm. */
  log(x: Wire): Wire {
    return this.one("Log", [x], x.shape);
  }

  sqrt(x: Wire): Wire {
    return this.one("Sqrt", [x], x.shape);
  }

  sin(x: Wire): Wire {
    return this.one("Sin", [x], x.shape);
  }

  cos(x: Wire): Wire {
    return this.one("Cos", [x], x.shape);
  }

  tanh(x: Wire): Wire {
    return this.one("Tanh", [x], x.shape);
  }

  erf(x: Wire): Wire {
    return this.one("Erf", [x], x.shape);
  }

  sigmoid(x: Wire): Wire {
    return this.one("Sigmoid", [x], x.shape);
  }

  /** slope · x + offset, kept in [0, 1]. */
  hardSigmoid(x: Wire, slope: number, offset: number): Wire {
    return this.one("HardSigmoid", [x], x.shape, { alpha: float(slope), beta: float(offset) });
  }

  relu(x: Wire): Wire {
    return this.one("Relu", [x], x.shape);
  }

  floor(x: Wire): Wire {
    return this.one("Floor", [x], x.shape);
  }

  round(x: Wire): Wire {
    return this.one("Round", [x], x.shape);
  }

  /** Limits x to [low, high]. */
  clip(x: Wire, low: number, high: number): Wire {
    const [, lowest, highest] = this.operands([x, low, high]);
    return this.one("Clip", [x, lowest, highest], x.shape);
  }

  /** a where the condition (bool) holds, b elsewhere. */
  where(condition: Wire, a: Operand, b: Operand): Wire {
    const [left, right] = this.operands([a, b]);
    const shape = broadcast(condition.shape, left.shape, right.shape);
    return this.one("Where", [condition, left, right], shape, {}, left.type);
  }

  equal(a: Operand, b: Operand): Wire {
    return this.broadcasting("Equal", [a, b], "bool");
  }

  greater(a: Operand, b: Operand): Wire {
    return this.broadcasting("Greater", [a, b], "bool");
  }

  greaterOrEqual(a: Operand, b: Operand): Wire {
    return this.broadcasting("GreaterOrEqual", [a, b], "bool");
  }

  less(a: Operand, b: Operand): Wire {
    return this.broadcasting("Less", [a, b], "bool");
  }

  lessOrEqual(a: Operand, b: Operand): Wire {
    return this.broadcasting("LessOrEqual", [a, b], "bool");
  }

  and(a: Wire, b: Wire): Wire {
    return this.broadcasting("And", [a, b], "bool");
  }

  or(a: Wire, b: Wire): Wire {
    return this.broadcasting("Or", [a, b], "bool");
  }

  not(x: Wire): Wire {
    return this.one("Not", [x], x.shape, {}, "bool");
  }

  cast(x: Wire, type: ElementType): Wire {
    if (x.type === type) return x;
    return this.one("Cast", [x], x.shape, { to: int(ELEMENT_NUMBERS[type]) }, type);
  }

  identity(x: Wire): Wire {
    return this.one("Identity", [x], x.shape);
  }

  /** x itself, which gradients take for a constant. */
  detach(x: Wire): Wire {
    const constant = this.identity(x);
    this.detached.add(constant.name);
    return constant;
  }

  private broadcasting(op: string, list: readonly Operand[], type?: ElementType): Wire {
    const wires = this.operands(list);
    return this.one(op, wires, broadcast(...wires.map((wire) => wire.shape)), {}, type);
  }
}
