import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { PROTOCOL } from "../src/engine/evaluation/protocol.ts";
import { writeDurably } from "../src/store/durable-file.ts";
import { type Cell, type CellKind, type CellKinds, digestOf } from "./cell.ts";

/** A cell's result as its file holds it, with what a reader needs to trust it. */
export interface Entry<Kind extends CellKind = CellKind> {
  readonly protocol: string;
  readonly kind: Kind;
  readonly name: string;
  readonly input: CellKinds[Kind]["input"];
  /** The digests of the cells that it needed, by their role. */
  readonly needs: Readonly<Record<string, string>>;
  readonly result: CellKinds[Kind]["result"];
  /** The engine that made it, as `engineDigest` tells it. */
  readonly engine: string;
  readonly machine: string;
  readonly seconds: number;
  readonly finished: string;
}

export type Circumstances = Pick<Entry, "engine" | "machine" | "seconds" | "finished">;

/**
 * The results, one file for each cell, named by its kind and digest and written last and whole; beside them a folder
 * for what is too large for JSON. A cell without its file was never finished.
 */
export class Archive {
  constructor(readonly root: string) {}

  async find<Kind extends CellKind>(cell: Cell<Kind>): Promise<Entry<Kind> | undefined> {
    const text = await readFile(this.pathOf(cell), "utf8").catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as Entry<Kind>);
  }

  /** The result of a cell that is finished. */
  async result<Kind extends CellKind>(cell: Cell<Kind>): Promise<CellKinds[Kind]["result"]> {
    const entry = await this.find(cell);
    if (entry === undefined) throw new Error(`${cell.kind} ${cell.name} is not finished.`);
    return entry.result;
  }

  /** Where the cell's own files go. */
  folderOf(cell: Cell): string {
    return join(this.root, "files", `${cell.kind}-${digestOf(cell)}`);
  }

  /** An empty folder for the cell's own files; a result that there was is no longer there. */
  async begin(cell: Cell): Promise<string> {
    const folder = this.folderOf(cell);
    await rm(this.pathOf(cell), { force: true });
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return folder;
  }

  async finish<Kind extends CellKind>(
    cell: Cell<Kind>,
    result: CellKinds[Kind]["result"],
    circumstances: Circumstances,
  ): Promise<void> {
    const { kind, name, input } = cell;
    const needs = Object.fromEntries(
      Object.entries(cell.needs).map(([role, need]) => [role, `${need.kind}-${digestOf(need)}`]),
    );
    const entry = { protocol: PROTOCOL, kind, name, input, needs, ...circumstances, result };
    await writeDurably(this.pathOf(cell), Buffer.from(`${JSON.stringify(entry, null, 1)}\n`));
  }

  private pathOf(cell: Cell): string {
    return join(this.root, "cells", `${cell.kind}-${digestOf(cell)}.json`);
  }
}
