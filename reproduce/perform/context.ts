import { join } from "node:path";
import type { Archive } from "../archive.ts";
import type { Cell, CellKind, CellKinds } from "../cell.ts";

/** What a cell is performed with. */
export interface Context {
  readonly archive: Archive;
  /** An empty folder for the cell's own files. */
  readonly folder: string;
  /** Where scenes to train on are kept, shared with the zoo's commands. */
  readonly scenes: string;
  /** How many cells are performed beside each other, and the threads of each. */
  readonly atOnce: number;
  readonly threads: number;
  /** Is told the share that is done. */
  readonly report: (share: number) => void;
}

/** Makes a cell's result, and its files. */
export type Performer<Kind extends CellKind> = (
  cell: Cell<Kind>,
  context: Context,
) => Promise<CellKinds[Kind]["result"]>;

/** A cell among the needs. */
export const need = <Kind extends CellKind>(cell: Cell, role: string): Cell<Kind> =>
  cell.needs[role] as Cell<Kind>;

/** Where among its files a cell puts the model that it makes. */
export const MODEL_FOLDER = "model";

/** Where the cell's model lies: a folder of somebody's, or the files of the cell that made it. */
export function modelFolder(cell: Cell, archive: Archive): string {
  const made = cell.needs.model;
  if (made !== undefined) return join(archive.folderOf(made), MODEL_FOLDER);
  if (cell.folder === undefined) throw new Error(`${cell.name} has no model.`);
  return cell.folder;
}
