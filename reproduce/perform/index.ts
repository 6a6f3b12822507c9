import { cpus } from "node:os";
import type { Archive } from "../archive.ts";
import type { Cell, CellKind } from "../cell.ts";
import { engineDigest } from "../engine-digest.ts";
import type { Context, Performer } from "./context.ts";
import { defend } from "./defend.ts";
import { encode } from "./encode.ts";
import { explain } from "./explain.ts";
import { fit } from "./fit.ts";
import { implant } from "./implant.ts";
import { look } from "./look.ts";
import { map } from "./map.ts";
import { measure } from "./measure.ts";
import { recovery } from "./recovery.ts";
import { render } from "./render.ts";
import { tripwire } from "./tripwire.ts";

const PERFORMERS: { readonly [Kind in CellKind]: Performer<Kind> } = {
  render,
  fit,
  implant,
  encode,
  defend,
  look,
  measure,
  tripwire,
  recovery,
  map,
  explain,
};

/** Performs one cell whose needs are finished, and writes its result to the archive. */
export async function performCell(
  cell: Cell,
  archive: Archive,
  surroundings: Omit<Context, "archive" | "folder">,
): Promise<void> {
  // Before it: a program that is compiled anew meanwhile is not the one that is at work.
  const engine = await engineDigest(cell.kind);
  const folder = await archive.begin(cell);
  const began = performance.now();
  const context: Context = { ...surroundings, archive, folder };
  const result = await (PERFORMERS[cell.kind] as Performer<CellKind>)(cell, context);
  await archive.finish(cell, result, {
    engine,
    machine: machineOf(context),
    seconds: Math.round(performance.now() - began) / 1000,
    finished: new Date().toISOString(),
  });
}

/** The processor, and how much of it a cell has. */
function machineOf({ threads, atOnce }: Pick<Context, "threads" | "atOnce">): string {
  const share = threads === 1 ? "1 thread" : `${threads} threads`;
  return `${cpus()[0].model.trim()}, ${share}${atOnce > 1 ? ` for each of ${atOnce} experiments at once` : ""}`;
}
