import { describe, expect, test } from "@jest/globals";
import { completeConfig } from "../../../src/engine/cbpt/config.ts";
import {
  type Contest,
  contestSize,
  type Discipline,
  isOver,
  startContest,
  stepContest,
  stepsMade,
} from "../../../src/engine/cbpt/contest.ts";

/** A search whose trigger is how often it was moved: class 7 is pulled to late and far, class 1 early. */
interface Counter {
  readonly step: number;
  readonly label: number;
  readonly moved: number;
}

const ENTRANTS = [3, 1, 7, 0, 5, 2, 9, 4];
const PROBLEM = { config: completeConfig("UNIVERSAL", { innerSteps: 40 }) };
const sizeOf = (entrants: readonly number[]) => contestSize(PROBLEM, entrants.length);

const pulledBy = (label: number, moved: number): number =>
  label === 7 ? moved * moved : label === 1 ? 30 : label;

const DISCIPLINE: Discipline<Counter, number> = {
  start: (label, moved = 0) => ({ step: 0, label, moved }),
  step: async (label, search) => {
    expect(search.label).toBe(label);
    return { ...search, step: search.step + 1, moved: search.moved + 1 };
  },
  found: ({ moved }) => moved,
  finding: async (label, { moved }) => ({
    label,
    family: "patch",
    pulled: { k: pulledBy(label, moved), n: 1000 },
  }),
};

async function held(entrants: readonly number[]): Promise<Contest<Counter, number>[]> {
  const states = [startContest(entrants, DISCIPLINE)];
  while (!isOver(states.at(-1)!)) states.push(await stepContest(PROBLEM, DISCIPLINE, states.at(-1)!));
  return states;
}

describe("a contest of searches", () => {
  test("searches for every entrant a while, and to the end for those that pull most", async () => {
    const { heat, whole, finalists } = sizeOf(ENTRANTS);
    expect({ heat, whole, finalists }).toEqual({ heat: 6, whole: 20, finalists: 4 });
    const last = (await held(ENTRANTS)).at(-1)!;
    expect(last.finalists!.map((place) => ENTRANTS[place])).toEqual([7, 1, 9, 5]);
    expect(last.found).toEqual(ENTRANTS.map((label) => ([7, 1, 9, 5].includes(label) ? whole : heat)));
    expect(last.findings.map(({ label }) => label)).toEqual(ENTRANTS);
    expect(last.findings[2].pulled.k).toBe(whole * whole);
  });

  test.each([[ENTRANTS], [[...ENTRANTS, 6]]])(
    "counts the steps of %j, to as many as were foreseen",
    async (entrants) => {
      const states = await held(entrants);
      const made = states.map((state) => stepsMade(PROBLEM, state));
      expect(made[0]).toBe(0);
      expect(made.at(-1)).toBe(sizeOf(entrants).steps);
      for (const [index, { searches }] of states.slice(0, -1).entries())
        expect(made[index + 1] - made[index]).toBe(searches.length);
      // Two beside each other; the last of an odd number alone.
      expect(new Set(states.slice(0, -1).map(({ searches }) => searches.length))).toEqual(
        new Set(entrants.length % 2 === 0 ? [2] : [2, 1]),
      );
    },
  );

  test("goes on to the same end from any state that was saved", async () => {
    const states = await held(ENTRANTS);
    for (const at of [3, 23, 24, 30, states.length - 2]) {
      let state: Contest<Counter, number> = JSON.parse(JSON.stringify(states[at]));
      while (!isOver(state)) state = await stepContest(PROBLEM, DISCIPLINE, state);
      expect(state).toEqual(states.at(-1));
    }
  });

  test.each([[[4]], [[4, 2, 0]]])("of few entrants, %j, searches all to the end", async (entrants) => {
    const last = (await held(entrants)).at(-1)!;
    expect(last.found).toEqual(entrants.map(() => sizeOf(entrants).whole));
  });
});
