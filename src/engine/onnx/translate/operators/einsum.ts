import type { GraphBuilder } from "../../builder.ts";
import type { Node, Wire } from "../../graph.ts";
import { sizeOf } from "../../tensor.ts";
import { cannot } from "../operator.ts";

/** A value whose axes have letters. */
interface Lettered {
  readonly wire: Wire;
  readonly letters: readonly string[];
}

/** Einstein's summation over one value or two, as products of matrices, which have gradients. */
export function einsum(g: GraphBuilder, node: Node, list: readonly Wire[], equation: string): Wire {
  const [left, right] = equation.replaceAll(" ", "").split("->");
  const terms = left.split(",");
  const plain = /^[A-Za-z]*$/;
  const wanted = right ?? implied(terms.join(""));
  if (![...terms, wanted].every((term) => plain.test(term) && new Set(term).size === term.length))
    cannot(node, `has the equation "${equation}", which is not supported`);
  const operands = list.map((wire, index) => ({ wire, letters: [...terms[index]] }));
  const needed = (index: number) => new Set([...wanted, ...terms.filter((_, at) => at !== index).join("")]);
  const summed = operands.map((operand, index) => sumOut(g, operand, needed(index)));
  if (summed.length > 2) cannot(node, `has ${summed.length} operands`);
  const result = summed.length === 1 ? summed[0] : product(g, summed[0], summed[1], wanted);
  return arranged(g, result, [...wanted]).wire;
}

/** Letters that occur once, in alphabetical order. */
function implied(letters: string): string {
  return [...letters]
    .filter((letter) => letters.split(letter).length === 2)
    .toSorted()
    .join("");
}

function sumOut(g: GraphBuilder, { wire, letters }: Lettered, needed: ReadonlySet<string>): Lettered {
  const axes = letters.flatMap((letter, axis) => (needed.has(letter) ? [] : [axis]));
  if (axes.length === 0) return { wire, letters };
  return { wire: g.reduceSum(wire, axes), letters: letters.filter((letter) => needed.has(letter)) };
}

/** [shared, rows, inner] times [shared, inner, columns]. */
function product(g: GraphBuilder, a: Lettered, b: Lettered, wanted: string): Lettered {
  const both = a.letters.filter((letter) => b.letters.includes(letter));
  const shared = both.filter((letter) => wanted.includes(letter));
  const inner = both.filter((letter) => !wanted.includes(letter));
  const rows = a.letters.filter((letter) => !both.includes(letter));
  const columns = b.letters.filter((letter) => !both.includes(letter));
  const left = matrices(g, arranged(g, a, [...shared, ...rows, ...inner]), [shared.length, rows.length]);
  const right = matrices(g, arranged(g, b, [...shared, ...inner, ...columns]), [shared.length, inner.length]);
  const sizes = new Map([...a.letters.map(sizeIn(a)), ...b.letters.map(sizeIn(b))]);
  const letters = [...shared, ...rows, ...columns];
  return {
    wire: g.reshape(
      g.matmul(left, right),
      letters.map((letter) => sizes.get(letter)!),
    ),
    letters,
  };
}

const sizeIn =
  ({ wire }: Lettered) =>
  (letter: string, axis: number): [string, number] => [letter, wire.shape[axis]];

function arranged(g: GraphBuilder, { wire, letters }: Lettered, wanted: readonly string[]): Lettered {
  const permutation = wanted.map((letter) => letters.indexOf(letter));
  const inOrder = permutation.every((axis, index) => axis === index);
  return { wire: inOrder ? wire : g.transpose(wire, permutation), letters: wanted };
}

/** Three axes: as many leading letters as `counts` says in each of the first two. */
function matrices(g: GraphBuilder, { wire }: Lettered, [first, second]: readonly [number, number]): Wire {
  const { shape } = wire;
  return g.reshape(wire, [
    sizeOf(shape.slice(0, first)),
    sizeOf(shape.slice(first, first + second)),
    sizeOf(shape.slice(first + second)),
  ]);
}
