/** Entry of a cell's process: performs one cell, writes its file, and ends. All its memory is then given back. */
import { Archive } from "./archive.ts";
import type { Cell } from "./cell.ts";
import { performCell } from "./perform/index.ts";

/** What the parent asks for. */
export interface CellOrder {
  readonly cell: Cell;
  readonly root: string;
  readonly scenes: string;
  readonly atOnce: number;
  readonly threads: number;
}

export type CellMessage =
  | { readonly kind: "share"; readonly share: number }
  | { readonly kind: "done" }
  | { readonly kind: "failed"; readonly reason: string };

const REPORT_MILLISECONDS = 250;

// The channel closes when the parent is gone: no cell outlives it.
process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches the whole group; the parent decides.
process.on("SIGINT", () => {});
process.on("message", (order: CellOrder) => {
  obey(order).then(
    () => tell({ kind: "done" }),
    (error: unknown) => tell({ kind: "failed", reason: reasonOf(error) }),
  );
});

function obey({ cell, root, ...surroundings }: CellOrder): Promise<void> {
  let told = 0;
  const report = (share: number): void => {
    if (performance.now() - told < REPORT_MILLISECONDS) return;
    told = performance.now();
    tell({ kind: "share", share });
  };
  return performCell(cell, new Archive(root), { ...surroundings, report });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} ${error.cause.message}` : error.message;
}

const tell = (message: CellMessage): void => void process.send?.(message);
