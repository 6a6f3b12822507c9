/** Entry of a cell's process: performs one cell, writes its file, and ends. All its memory is then given back. */
import { cpus } from "node:os";
import { Archive } from "./archive.ts";
import type { Cell, CellKind } from "./cell.ts";
import { engineDigest } from "./engine-digest.ts";
import type { Context, Performer } from "./perform/context.ts";
import { defend } from "./perform/defend.ts";
import { encode } from "./perform/encode.ts";
import { fit } from "./perform/fit.ts";
import { implant } from "./perform/implant.ts";
import { measure } from "./perform/measure.ts";
import { render } from "./perform/render.ts";

/** What the parent asks for. */
export interface CellOrder {
  readonly cell: Cell;
  readonly root: string;
  readonly scenes: string;
  readonly threads: number;
}

export type CellMessage =
  | { readonly kind: "share"; readonly share: number }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly reason: string };

const PERFORMERS: { readonly [Kind in CellKind]: Performer<Kind> } = {
  render,
  fit,
  implant,
  encode,
  defend,
  measure,
};

const REPORT_MILLISECONDS = 250;

// The channel closes when the parent is gone: no cell outlives it.
process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches the whole group; the parent decides.
process.on("SIGINT", () => {});
process.on("message", (order: CellOrder) => {
  perform(order).then(
    () => tell({ kind: "done" }),
    (error: unknown) => tell({ kind: "failed", reason: reasonOf(error) }),
  );
});

async function perform({ cell, root, scenes, threads }: CellOrder): Promise<void> {
  const archive = new Archive(root);
  const folder = await archive.begin(cell);
  const began = performance.now();
  let told = 0;
  const report = (share: number) => {
    if (performance.now() - told < REPORT_MILLISECONDS) return;
    told = performance.now();
    tell({ kind: "share", share });
  };
  const context: Context = { archive, folder, scenes, threads, report };
  const result = await (PERFORMERS[cell.kind] as Performer<CellKind>)(cell, context);
  await archive.finish(cell, result, {
    engine: await engineDigest(),
    machine: `${cpus()[0].model.trim()}, ${threads} threads`,
    seconds: Math.round(performance.now() - began) / 1000,
    finished: new Date().toISOString(),
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message;
}

const tell = (message: CellMessage): void => void process.send?.(message);
