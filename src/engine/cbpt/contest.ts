import type { Problem } from "./problem.ts";
import type { Finding } from "./verdict.ts";

/**
 * Searches for several classes, in two rounds: in the heats each class is searched for a part of the steps, in the final
 * those that pull most are searched to the end. Plain data.
 */
export interface Contest<Search, Found> {
  /** The classes that are searched for, in their turns. */
  readonly entrants: readonly number[];
  /** What was found, in the order of the entrants, and how much it pulls; of finalists the better, once it is there. */
  readonly found: readonly Found[];
  readonly findings: readonly Finding[];
  /** Places among the entrants of those in the final, in their turns; there once the heats are over. */
  readonly finalists?: readonly number[];
  /** How many of the finalists are done. */
  readonly finished: number;
  /** The searches of the entrants whose turn it is, beside each other; all of them are at the same step. */
  readonly searches: readonly Search[];
}

/** How one kind of search is done. */
export interface Discipline<Search extends { readonly step: number }, Found> {
  /** The beginning of the search for a class, or of its second part from what the heat has found. */
  start(label: number, from?: Found): Search;
  step(label: number, search: Search): Promise<Search>;
  found(search: Search): Found;
  finding(label: number, search: Search): Promise<Finding>;
}

/** Steps of a whole search, as a share of `innerSteps`: it only has to tell one class from the others. */
const WHOLE = 0.5;
/** Steps of a heat, as a share of those of a whole search. */
const HEAT = 0.3;
/**
 * Share of the entrants in the final, and how many there are at least. In three searches on two poisoned models of 20
 * classes the attacker's class was the first of the heat: patches on TrojVQA 0.88, next 0.31; shades on blended text
 * 0.69, next 0.56; words on TrojVQA, as if patches had not found it, 0.23, next 0.19.
 */
const FINALISTS = { share: 0.2, least: 4 };

/** Searches beside each other: while one moves its trigger, the runs of the other keep all threads at work. */
const ABREAST = 2;

export interface ContestSize {
  /** Steps of a heat, and of a whole search. */
  readonly heat: number;
  readonly whole: number;
  readonly finalists: number;
  /** Steps of a contest in all. */
  readonly steps: number;
  /** How often it is counted how much a trigger pulls. */
  readonly counts: number;
}

/** @param entrants how many there are. */
export function contestSize({ config }: Pick<Problem, "config">, entrants: number): ContestSize {
  const whole = Math.ceil(WHOLE * config.innerSteps);
  const heat = Math.ceil(HEAT * whole);
  const finalists = Math.min(entrants, Math.max(FINALISTS.least, Math.ceil(FINALISTS.share * entrants)));
  const steps = entrants * heat + finalists * (whole - heat);
  return { heat, whole, finalists, steps, counts: entrants + finalists };
}

/** @param entrants the classes to search for, at least one. */
export const startContest = <Search extends { readonly step: number }, Found>(
  entrants: readonly number[],
  { start }: Discipline<Search, Found>,
): Contest<Search, Found> => ({
  entrants,
  found: [],
  findings: [],
  finished: 0,
  searches: turn(entrants, 0).map((label) => start(label)),
});

/** Those of the list, in the order of their turns, whose turn it is when so many have had theirs. */
const turn = (list: readonly number[], done: number): readonly number[] => list.slice(done, done + ABREAST);

export const isOver = ({ finalists, finished }: Contest<unknown, unknown>): boolean =>
  finished === finalists?.length;

/** Steps that were made. */
export function stepsMade(
  problem: Pick<Problem, "config">,
  { entrants, found, finalists, finished, searches }: Contest<{ readonly step: number }, unknown>,
): number {
  const { heat, whole } = contestSize(problem, entrants.length);
  const under = (from: number) => searches.reduce((sum, { step }) => sum + step - from, 0);
  if (finalists === undefined) return found.length * heat + under(0);
  return found.length * heat + finished * (whole - heat) + under(heat);
}

/** One step of the searches whose turn it is, and the next turn after the last. */
export async function stepContest<Search extends { readonly step: number }, Found>(
  problem: Pick<Problem, "config">,
  discipline: Discipline<Search, Found>,
  contest: Contest<Search, Found>,
): Promise<Contest<Search, Found>> {
  const { entrants, finalists } = contest;
  const { heat, whole, finalists: places } = contestSize(problem, entrants.length);
  const all = Array.from(entrants.keys());
  const turns = finalists ? turn(finalists, contest.finished) : turn(all, contest.found.length);
  const searches = await Promise.all(
    turns.map((place, index) => discipline.step(entrants[place], contest.searches[index])),
  );
  if (searches[0].step < (finalists ? whole : heat)) return { ...contest, searches };
  const [found, findings] = [[...contest.found], [...contest.findings]];
  // One after the other: counting keeps all threads at work by itself, and holds many images.
  for (const [index, place] of turns.entries()) {
    found[place] = discipline.found(searches[index]);
    findings[place] = await discipline.finding(entrants[place], searches[index]);
  }
  if (finalists === undefined && found.length < entrants.length) {
    const next = turn(entrants, found.length).map((label) => discipline.start(label));
    return { ...contest, found, findings, searches: next };
  }
  const chosen = finalists ?? mostPulled(findings, places);
  const finished = finalists ? contest.finished + turns.length : 0;
  const goOn = (place: number): Search => ({
    ...discipline.start(entrants[place], found[place]),
    step: heat,
  });
  return {
    entrants,
    found,
    findings,
    finalists: chosen,
    finished,
    searches: turn(chosen, finished).map(goOn),
  };
}

/** Places of the findings that pull most. */
const mostPulled = (findings: readonly Finding[], count: number): number[] =>
  Array.from(findings.keys())
    .sort((a, b) => findings[b].pulled.k - findings[a].pulled.k || a - b)
    .slice(0, count);
