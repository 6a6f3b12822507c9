import { Presets, SingleBar } from "cli-progress";
import type { Cell } from "./cell.ts";
import { expected } from "./expected.ts";
import type { Watcher } from "./run.ts";

/** Shows a bar with the time left; away from a terminal, a line for every cell. */
export function progressBar(write = (text: string): void => void process.stderr.write(text)): Watcher & {
  stop(): void;
} {
  const clock = { began: performance.now(), done: 0, total: 0, finished: 0, count: 0 };
  const terminal = process.stderr.isTTY === true;
  const bar = new SingleBar(
    { format: "{bar} {percentage} %  {cells}  {left} left  {name}", hideCursor: true, fps: 4 },
    Presets.rect,
  );
  const seconds = (): number => (performance.now() - clock.began) / 1000;
  /** The pace so far, blended with what was expected while little is known. */
  const left = (done: number): string => {
    const pace = (seconds() + 60) / (done + 60);
    return inWords(pace * (clock.total - done));
  };
  /** What is done of the cells that are under way, in expected seconds. */
  const under = new Map<Cell, number>();
  const show = (cell: Cell, share: number): void => {
    under.set(cell, share * expected(cell));
    const done = [...under.values()].reduce((sum, part) => sum + part, clock.done);
    const cells = `${clock.finished + 1}/${clock.count}`;
    if (terminal)
      bar.update(done, { cells, left: left(done), name: `${cell.kind} ${cell.name}`.slice(0, 60) });
  };
  return {
    start(cells) {
      clock.count = cells.length;
      clock.total = cells.reduce((sum, cell) => sum + expected(cell), 0);
      write(`${cells.length} experiments to do, about ${inWords(clock.total)} on two quiet cores.\n`);
      if (terminal && cells.length > 0) bar.start(clock.total, 0, { cells: "", left: "", name: "" });
    },
    share: show,
    end(cell, reason) {
      under.delete(cell);
      clock.done += expected(cell);
      clock.finished++;
      const place = `[${clock.finished}/${clock.count}]`;
      if (reason !== undefined) write(`\n${place} ${cell.kind} ${cell.name} failed: ${reason}\n`);
      else if (!terminal)
        write(`${place} ${cell.kind} ${cell.name}; ${inWords(seconds())} so far, ${left(clock.done)} left\n`);
    },
    stop: () => bar.stop(),
  };
}

export function inWords(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  if (minutes === 0) return `${Math.ceil(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
