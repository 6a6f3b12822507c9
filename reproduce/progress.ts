import { Presets, SingleBar } from "cli-progress";
import type { DefenceName } from "../src/engine/defences/index.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import type { Cell, CellKind } from "./cell.ts";
import type { Watcher } from "./run.ts";

/** About how long the defences take on two cores, in seconds. */
const DEFENCES: Record<DefenceName, number> = {
  none: 2,
  coop: 10,
  ft: 30,
  cleanclip: 60,
  par: 45,
  "cbpt-published": 150,
  "cbpt-universal": 40,
};

/** About how long a cell takes on two cores, in seconds: only what the time left is guessed from. */
const EXPECTED: { readonly [Kind in CellKind]: (cell: Cell<Kind>) => number } = {
  render: ({ input }) => scenesOf(input.perClass) / 500,
  fit: () => 60,
  implant: ({ input }) => input.config.steps / 2,
  encode: ({ input, needs }) => {
    const { perClass } = (needs.images as Cell<"render">).input;
    return (scenesOf(perClass) * (input.trigger ? 2 : 1)) / 400;
  },
  defend: ({ input }) => DEFENCES[input.defence],
  measure: () => 1,
  tripwire: () => 1,
  map: () => 6,
  explain: () => 3,
};

const scenesOf = (perClass: number): number => perClass * OBJECTS.length;

export const expected = (cell: Cell): number => (EXPECTED[cell.kind] as (cell: Cell) => number)(cell);

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
  const show = (cell: Cell, share: number): void => {
    const done = clock.done + share * expected(cell);
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
