import type { Archive, Entry } from "./archive.ts";
import { type Cell, digestOf } from "./cell.ts";
import { isOutdated } from "./engine-digest.ts";

/**
 * The cells that are to be performed, in the order given, in which each comes after what it needs: those without a
 * result, those whose result is older than what it was made from and, `again`, those whose result another engine has
 * made. What is there already stays until the cell itself begins, so that a run which is stopped has lost nothing that
 * it had not got to.
 */
export async function missingCells(
  archive: Archive,
  cells: readonly Cell[],
  again: boolean,
): Promise<Cell[]> {
  const missing = new Map<string, Cell>();
  for (const cell of cells) {
    const entry = await archive.find(cell);
    const needs = Object.values(cell.needs);
    const stands =
      entry !== undefined &&
      !needs.some((need) => missing.has(digestOf(need))) &&
      !(await isOlder(archive, entry, needs)) &&
      !(again && (await isOutdated(entry)));
    if (!stands) missing.set(digestOf(cell), cell);
  }
  return [...missing.values()];
}

async function isOlder(archive: Archive, entry: Entry, needs: readonly Cell[]): Promise<boolean> {
  const found = await Promise.all(needs.map((need) => archive.find(need)));
  return found.some((need) => need !== undefined && need.finished > entry.finished);
}
