import type { DefenceName } from "../src/engine/defences/index.ts";
import { OBJECTS } from "../zoo/scenes/objects.ts";
import type { Cell, CellKind } from "./cell.ts";

/** About how long the defences take on two cores, in seconds. */
const DEFENCES: Record<DefenceName, number> = {
  none: 2,
  coop: 10,
  ft: 45,
  cleanclip: 95,
  par: 45,
  "cbpt-published": 80,
  "cbpt-universal": 60,
};

/** About how long a cell takes on two cores, in seconds: what the time left and the order are guessed from. */
const EXPECTED: { readonly [Kind in CellKind]: (cell: Cell<Kind>) => number } = {
  render: ({ input }) => scenesOf(input.perClass) / 500,
  fit: () => 60,
  implant: ({ input }) => input.config.steps / 2,
  encode: ({ input, needs }) => {
    const { perClass } = (needs.images as Cell<"render">).input;
    return (scenesOf(perClass) * (input.trigger ? 2 : 1)) / 400;
  },
  defend: ({ input }) => DEFENCES[input.defence],
  // Through prompts that recover, triggered images are looked at several times, and views take time as well.
  look: ({ input, needs }) => {
    const { perClass } = (needs.images as Cell<"render">).input;
    const recovers = (needs.defended as Cell<"defend">).input.defence === "cbpt-universal";
    return input.trigger && recovers ? scenesOf(perClass) / 60 : 2;
  },
  measure: () => 1,
  tripwire: () => 1,
  recovery: () => 10,
  map: () => 6,
  explain: () => 3,
};

const scenesOf = (perClass: number): number => perClass * OBJECTS.length;

export const expected = (cell: Cell): number => (EXPECTED[cell.kind] as (cell: Cell) => number)(cell);
