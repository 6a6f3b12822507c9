import type { GraphBuilder } from "../builder.ts";
import type { Initializer, Wire } from "../graph.ts";
import { constantOf, LARGEST_FOLDED } from "../passes/constants.ts";
import { fromBytes, sizeOf, tensorOf, toNumbers } from "../tensor.ts";
import { evaluate } from "./evaluate.ts";

export { constantOf };

/** Numbers that all nodes together read and make while they are folded; a small file can have thousands of large ones. */
const MOST_FOLDED = 16 * 1024 * 1024;
/** So many are always worth it: shapes have to be known. */
const FEW = 256;

/**
 * A constant of the export in the builder. Floating numbers become the builder's: small ones are converted here,
 * weights by a Cast, so that they stay in their file.
 */
export function bringConstant(g: GraphBuilder, constant: Initializer, name: string): Wire {
  const { type, shape, storage } = constant;
  const floating = type.includes("float");
  if (storage.kind === "inline" && sizeOf(shape) <= LARGEST_FOLDED && type !== "int8")
    return g.constant(tensorOf(floating ? g.float : type, shape, numbersOf(constant, storage.bytes)));
  const wire = g.initializer(name, type, shape, storage);
  return floating ? g.cast(wire, g.float) : wire;
}

function numbersOf({ type, shape }: Initializer, bytes: Uint8Array): number[] {
  const halves = () => Array.from(new Uint16Array(new Uint8Array(bytes).buffer));
  if (type === "float16") return halves().map(half);
  if (type === "bfloat16") {
    const words = Uint32Array.from(halves(), (bits) => bits << 16);
    return Array.from(new Float32Array(words.buffer));
  }
  return toNumbers(fromBytes(type, shape, bytes));
}

/** IEEE 754 binary16: 1 sign bit, 5 of exponent (bias 15), 10 of fraction. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/**
 * Builds with everything that depends on constants alone computed at once, large results excepted, and all but the
 * smallest after very many.
 */
export function withFolding<Result>(g: GraphBuilder, build: () => Result): Result {
  let left = MOST_FOLDED;
  return g.folded((op, inputs, attributes, outputs) => {
    const sizes = [...inputs, ...outputs].map((each) => (each ? sizeOf(each.shape) : 0));
    if (!sizes.every((size) => size <= LARGEST_FOLDED)) return undefined;
    if (!inputs.every((wire) => !wire || g.isInline(wire))) return undefined;
    const work = sizes.reduce((sum, size) => sum + size, 0);
    left -= work;
    if (left < 0 && work > FEW) return undefined;
    const constants = inputs.map(
      (wire) => wire && { type: wire.type, shape: wire.shape, values: g.numbers(wire) ?? [] },
    );
    const results = evaluate({ op, attributes, inputs: constants, outputs });
    return results?.map((values, index) =>
      g.constant(tensorOf(outputs[index].type, outputs[index].shape, values)),
    );
  }, build);
}
