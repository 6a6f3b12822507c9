import { type Cell, digestOf } from "./cell.ts";
import { expected } from "./expected.ts";

/**
 * The cells, given in an order in which each comes after its needs, with those first that most computing waits for,
 * themselves included (the critical path first): so nobody ends up waiting for one long chain. Each still comes after
 * its needs.
 */
export function mostAwaitedFirst(cells: readonly Cell[]): Cell[] {
  const awaited = new Map<string, number>();
  for (const cell of cells.toReversed()) {
    const own = (awaited.get(digestOf(cell)) ?? 0) + expected(cell);
    awaited.set(digestOf(cell), own);
    for (const need of Object.values(cell.needs))
      awaited.set(digestOf(need), Math.max(awaited.get(digestOf(need)) ?? 0, own));
  }
  const timeOf = (cell: Cell): number => awaited.get(digestOf(cell)) as number;
  return cells.toSorted((a, b) => timeOf(b) - timeOf(a));
}
