import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { entryPoint } from "../src/engine/runtime/entry-point.ts";
import type { Archive } from "./archive.ts";
import { type Cell, digestOf } from "./cell.ts";
import type { CellMessage, CellOrder } from "./run-cell.ts";
import { mostAwaitedFirst } from "./schedule.ts";

export interface RunOptions {
  readonly archive: Archive;
  readonly scenes: string;
  /** Cells beside each other, each with so many threads. */
  readonly atOnce: number;
  readonly threads: number;
  readonly signal: AbortSignal;
  readonly watcher: Watcher;
}

/** Is told how a run goes on. */
export interface Watcher {
  start(cells: readonly Cell[]): void;
  share(cell: Cell, share: number): void;
  /** `reason` is there when it failed, or when what it needs did. */
  end(cell: Cell, reason?: string): void;
}

/**
 * Performs cells, `atOnce` beside each other, each in a process of its own. A cell that fails takes those with it that
 * need it, and no others; they are tried again the next time. Resolves to what failed.
 */
export async function runCells(cells: readonly Cell[], options: RunOptions): Promise<Cell[]> {
  const { atOnce, signal, watcher } = options;
  watcher.start(cells);
  const waiting = mostAwaitedFirst(cells);
  const unfinished = new Map(cells.map((cell) => [digestOf(cell), cell]));
  const failed = new Map<string, Cell>();
  const running = new Set<Promise<void>>();
  const perform = async (cell: Cell): Promise<void> => {
    const lacking = Object.values(cell.needs).find((need) => failed.has(digestOf(need)));
    const reason =
      lacking === undefined ? await runCell(cell, options) : `${lacking.kind} ${lacking.name} failed`;
    if (reason !== undefined) failed.set(digestOf(cell), cell);
    unfinished.delete(digestOf(cell));
    watcher.end(cell, reason);
  };
  const isReady = (cell: Cell): boolean =>
    Object.values(cell.needs).every((need) => !unfinished.has(digestOf(need)));
  try {
    while (unfinished.size > 0) {
      signal.throwIfAborted();
      const ready = running.size < atOnce ? waiting.findIndex(isReady) : -1;
      if (ready < 0) {
        await Promise.race(running);
        continue;
      }
      const [cell] = waiting.splice(ready, 1);
      const performed = perform(cell).finally(() => running.delete(performed));
      running.add(performed);
    }
  } finally {
    // Those that were stopped end now; none is left behind.
    await Promise.allSettled(running);
  }
  return [...failed.values()];
}

/** Resolves to why it failed, or to nothing. Rejects when it was told to stop. */
function runCell(cell: Cell, options: RunOptions): Promise<string | undefined> {
  const { archive, scenes, atOnce, threads, signal, watcher } = options;
  const child = fork(fileURLToPath(entryPoint(import.meta.url, "run-cell")), {
    execArgv: [],
    // One arena keeps the C allocator from holding on to memory that each thread once used.
    env: { ...process.env, MALLOC_ARENA_MAX: "1" },
  });
  const order: CellOrder = { cell, root: archive.root, scenes, atOnce, threads };
  child.send(order);
  return new Promise((resolve, reject) => {
    const stop = () => child.kill("SIGKILL");
    signal.addEventListener("abort", stop);
    let outcome: CellMessage | undefined;
    child.on("message", (message: CellMessage) => {
      if (message.kind === "share") return watcher.share(cell, message.share);
      outcome = message;
      letGo(child);
    });
    child.on("error", reject);
    child.on("exit", (code, killer) => {
      signal.removeEventListener("abort", stop);
      if (signal.aborted) return reject(signal.reason);
      if (outcome?.kind === "done") return resolve(undefined);
      resolve(outcome?.kind === "failed" ? outcome.reason : `its process ended (${killer ?? code})`);
    });
  });
}

const letGo = (child: ChildProcess): void => {
  if (child.connected) child.disconnect();
};
