import { AppError } from "../../../errors.ts";
import { GraphBuilder } from "../builder.ts";
import type { Graph, Node, Shape, Wire } from "../graph.ts";
import { writtenOut } from "../passes/constants.ts";
import { sameShape } from "../shapes.ts";
import { sizeOf, tensorOf } from "../tensor.ts";
import type { Sizes } from "./operator.ts";
import { type Translated, translate } from "./translate.ts";

export interface TowerTranslation {
  /** [batch, length, …] or [length], where there is a length. */
  readonly bindings: Readonly<Record<string, Wire>>;
  /** Bindings [batch, …] that have no length. */
  readonly pooled?: Readonly<Record<string, Wire>>;
  readonly output: string;
  readonly prefix: string;
  /** The input whose declared shape says which sizes the export is fixed to: its first axis, and its second. */
  readonly declared: Wire;
  readonly batch: number;
  readonly length?: number;
}

/** A size that the export holds as a number, and what it is to be. */
interface Change {
  readonly from: number;
  readonly to: number;
}

/**
 * Translates a tower at any batch and length, also where the export is fixed to others: exports of PyTorch without
 * dynamic axes hold the batch, and those in OpenAI's style the context length of 77, in the numbers of their Reshapes
 * and in their constants. Such an export is translated at its own sizes first; then every shape that it holds is
 * brought to the sizes wanted by how it came to be there. Throws INVALID_GRAPH where that is not clear.
 */
export function translateAt(g: GraphBuilder, graph: Graph, tower: TowerTranslation): Wire {
  const { pooled, output, prefix } = tower;
  const changes = changesOf(tower);
  const bindings = { ...tower.bindings, ...pooled };
  const plain = { bindings, outputs: [output], prefix };
  if (changes.length === 0) return translate(g, graph, plain).outputs[0];
  const own = shapesAtOwnSizes(g, graph, tower);
  return translate(g, graph, { ...plain, sizes: (translated) => changedSizes(translated, own, changes) })
    .outputs[0];
}

function changesOf({ declared, batch, length }: TowerTranslation): Change[] {
  const pairs = [
    { from: declared.shape[0], to: batch },
    ...(length === undefined ? [] : [{ from: declared.shape[1], to: length }]),
  ];
  return pairs.filter(({ from, to }) => from > 0 && from !== to);
}

/** Shapes of the export's values at the sizes that it is fixed to. */
function shapesAtOwnSizes(
  g: GraphBuilder,
  graph: Graph,
  { bindings, pooled = {}, output, batch, length, declared }: TowerTranslation,
): ReadonlyMap<string, Shape> {
  const scratch = new GraphBuilder({ float: g.float });
  const own = (shape: Shape, hasLength: boolean): number[] => {
    const sizes = [...shape];
    if (declared.shape[0] > 0 && shape[0] === batch) sizes[0] = declared.shape[0];
    const axis = shape.length === 1 ? 0 : 1;
    if (hasLength && length !== undefined && declared.shape[1] > 0 && shape[axis] === length)
      sizes[axis] = declared.shape[1];
    return sizes;
  };
  const inputs = Object.entries({ ...bindings, ...pooled }).map(([name, wire]): [string, Wire] => {
    const shape = own(wire.shape, !(name in pooled));
    const numbers = g.numbers(wire);
    if (!numbers) return [name, scratch.input(name, shape, wire.type)];
    const grown = Array.from({ length: writtenOut(sizeOf(shape)) }, (_, index) =>
      numbers[0] === numbers[1] ? numbers[0] : index % shape[shape.length - 1],
    );
    return [name, scratch.constant(tensorOf(wire.type, shape, grown))];
  });
  return translate(scratch, graph, { bindings: Object.fromEntries(inputs), outputs: [output] }).shapes;
}

function changedSizes(
  translated: Translated,
  own: ReadonlyMap<string, Shape>,
  changes: readonly Change[],
): Sizes {
  const { g } = translated;
  const changed = (size: number): number => changes.find(({ from }) => from === size)?.to ?? size;
  return {
    target(node, x, shape) {
      const [before, after] = [own.get(node.inputs[0]), own.get(node.outputs[0])];
      if (!before || !after) return shape;
      if (node.op === "Expand")
        return shape.map((size, axis) => expanded(x.shape, before, after, size, axis));
      if (sameShape(x.shape, before)) return sizeOf(shape) === sizeOf(x.shape) ? shape : after;
      return regrouped(node, x.shape, before, after, changes);
    },
    fit: (operands) => adapted(operands, -1),
    join: (parts, axis) => adapted(parts, axis),
  };

  /** Constants of the export's own sizes, brought to those of what they meet. */
  function adapted(wires: readonly Wire[], joined: number): readonly Wire[] {
    const rank = Math.max(...wires.map(({ shape }) => shape.length));
    return Array.from({ length: rank }, (_, axis) => axis)
      .filter((axis) => axis !== joined)
      .reduce((list, axis) => {
        const sizeOn = ({ shape }: Wire): number => shape[axis - rank + shape.length] ?? 1;
        const change = changes.find(({ from, to }) =>
          [from, to].every((size) => list.some((wire) => sizeOn(wire) === size)),
        );
        const broadcasts = change?.from === 1 && joined < 0;
        if (!change || broadcasts) return list;
        return list.map((wire) =>
          sizeOn(wire) === change.from && translated.isConstant(wire)
            ? resized(g, wire, axis - rank + wire.shape.length, change.to)
            : wire,
        );
      }, wires);
  }

  /** An axis that the export did not expand follows its operand; one that it did is as large as was wanted. */
  function expanded(x: Shape, before: Shape, after: Shape, size: number, axis: number): number {
    const old = before[axis - after.length + before.length] ?? 1;
    if (old === after[axis]) return x[axis - after.length + x.length] ?? 1;
    return size === after[axis] ? changed(size) : size;
  }
}

/** A constant with another size of an axis: cut, counted on where it counts, and repeated elsewhere. */
function resized(g: GraphBuilder, wire: Wire, axis: number, size: number): Wire {
  if (wire.shape[axis] >= size) return g.slice(wire, [0], [size], [axis]);
  const numbers = wire.type === "int64" ? g.numbers(wire) : undefined;
  const alone = wire.shape.every((other, index) => index === axis || other === 1);
  if (numbers && alone && numbers.every((value, index) => value === index))
    return g.constant(tensorOf("int64", wire.shape.with(axis, size), [...Array(size).keys()]));
  return g.expand(g.slice(wire, [0], [1], [axis]), wire.shape.with(axis, size));
}

/**
 * The shape after a Reshape at other sizes, from what it was at the export's own. Axes belong together where the
 * products before them agree; within such a group, the axis changes that explains the group's number of elements.
 */
function regrouped(node: Node, x: Shape, before: Shape, after: Shape, changes: readonly Change[]): Shape {
  const result: number[] = [];
  const groups = groupsOf(before, after) ?? unclear(node, x, after);
  for (const { from, to } of withOnesPlaced(groups, x, before, after)) {
    const wanted = sizeOf(x.slice(from.start, from.end));
    const group = after.slice(to.start, to.end);
    result.push(...(explained(group, wanted, changes) ?? unclear(node, x, after)));
  }
  return result;
}

interface Stretch {
  readonly start: number;
  readonly end: number;
}

/** Axes before a Reshape and those that they become. */
interface Group {
  readonly from: Stretch;
  readonly to: Stretch;
}

/** Undefined where the products never agree again: of a size that is zero, or open. */
function groupsOf(before: Shape, after: Shape): readonly Group[] | undefined {
  const groups: Group[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    const start = { i, j };
    let left = i < before.length ? before[i++] : 1;
    let right = j < after.length ? after[j++] : 1;
    while (left !== right) {
      const [next, end] = left < right ? [i, before.length] : [j, after.length];
      if (next === end) return undefined;
      if (left < right) left *= before[i++];
      else right *= after[j++];
    }
    const last = groups.at(-1);
    // What is left over are ones; they belong to what came before.
    if (last && (start.i === before.length || start.j === after.length)) {
      groups[groups.length - 1] = { from: { ...last.from, end: i }, to: { ...last.to, end: j } };
    } else groups.push({ from: { start: start.i, end: i }, to: { start: start.j, end: j } });
  }
  return groups;
}

/**
 * An axis of size one could belong to what is before it or to what is after it; a batch of one is such an axis. Where
 * axes are merged, it counts rows: [L, 1, heads, width] becomes [L, heads · width] as L · N rows, while [L, 1, d] is
 * split into [L, heads, width] as N · heads parts. Where it appears, it is of the axes whose number has changed:
 * [L · N, d] becomes [L, N, d], while [L, N · heads, width] becomes [L, N, heads, width].
 */
function withOnesPlaced(groups: readonly Group[], x: Shape, before: Shape, after: Shape): readonly Group[] {
  const result = groups.map(({ from, to }) => ({ from: { ...from }, to: { ...to } }));
  const changes = ({ from }: Group): boolean =>
    sizeOf(x.slice(from.start, from.end)) !== sizeOf(before.slice(from.start, from.end));
  for (const [index, group] of result.entries()) {
    const [previous, { from, to }] = [result[index - 1], group];
    if (!previous) continue;
    while (to.end - to.start === 1 && before[from.start] === 1 && from.end - from.start > 1) {
      from.start += 1;
      previous.from.end += 1;
    }
    while (to.end - to.start > 1 && after[to.start] === 1 && changes(previous) && !changes(group)) {
      to.start += 1;
      previous.to.end += 1;
    }
  }
  return result;
}

interface Way {
  readonly shape: Shape;
  readonly product: number;
  readonly cost: number;
}

/** Of all ways to change the sizes of a group, the one with the fewest changes, and with whole sizes before factors. */
function explained(group: Shape, wanted: number, changes: readonly Change[]): Shape | undefined {
  const ways = group.reduce<readonly Way[]>(
    (all, size, axis) =>
      cheapest(
        all.flatMap(({ shape, product, cost }) =>
          optionsOf(size, changes).map((option) => ({
            shape: [...shape, option.size],
            product: product * option.size,
            cost: cost + option.cost + (option.cost > 0 ? axis * 0.01 : 0),
          })),
        ),
      ),
    [{ shape: [], product: 1, cost: 0 }],
  );
  return ways.find(({ product }) => product === wanted)?.shape;
}

/** The first of the cheapest to each product, in their order: ways double with every axis, products do not. */
function cheapest(ways: readonly Way[]): readonly Way[] {
  const best = new Map<number, Way>();
  for (const way of ways) {
    const known = best.get(way.product);
    if (!known || way.cost < known.cost) best.set(way.product, way);
  }
  return ways.filter((way) => best.get(way.product) === way);
}

function optionsOf(size: number, changes: readonly Change[]): { size: number; cost: number }[] {
  const scaled = (from: number, { from: own, to }: Change) => (from % own === 0 ? [(from / own) * to] : []);
  const once = changes.flatMap((change) =>
    scaled(size, change).map((result) => ({ size: result, cost: size === change.from ? 1 : 2 })),
  );
  const twice =
    changes.length === 2
      ? scaled(size, changes[0]).flatMap((result) =>
          size % (changes[0].from * changes[1].from) === 0
            ? [{ size: (result / changes[1].from) * changes[1].to, cost: 3 }]
            : [],
        )
      : [];
  return [{ size, cost: 0 }, ...once, ...twice];
}

function unclear(node: Node, x: Shape, after: Shape): never {
  throw new AppError(
    "INVALID_GRAPH",
    `Reshape (node "${node.name}") makes [${after}] in the export, which is fixed to its sizes, and nothing clear of [${x}]. Export the model with dynamic axes.`,
    { op: node.op, node: node.name },
  );
}
