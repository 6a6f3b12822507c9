import type { Problem } from "./problem.ts";
import type { Finding } from "./verdict.ts";

/**
 * Searches for every target of an audit, in two rounds: in the heats each target is searched for a part of the steps,
 * in the final those that pull most are searched to the end. Plain data.
 */
export interface Contest<Search, Found> {
  /** What was found, in the order of the targets, and how much it pulls; of finalists the better, once it is there. */
  readonly found: readonly Found[];
  readonly findings: readonly Finding[];
  /** Places among the targets of those in the final, in their turns; there once the heats are over. */
  readonly finalists?: readonly number[];
  /** How many of the finalists are done. */
  readonly finished: number;
  /** The search of the target whose turn it is. */
  readonly search: Search;
}

/** How one kind of search is done. */
export interface Discipline<Search extends { readonly step: number }, Found> {
  /** The beginning of the search for the target at a place, or of its second part from what the heat has found. */
  start(place: number, from?: Found): Search;
  step(label: number, search: Search): Promise<Search>;
  found(search: Search): Found;
  finding(label: number, search: Search): Promise<Finding>;
}

/** Steps of a whole search, as a share of `innerSteps`: it only has to tell one class from the others. */
const WHOLE = 0.5;
/** Steps of a heat, as a share of those of a whole search. */
const HEAT = 0.3;
/**
 * Share of the targets in the final, and how many there are at least. In three searches on two poisoned models of 20
 * classes the attacker's class was the first of the heat: patches on TrojVQA 0.88, next 0.31; shades on blended text
 * 0.69, next 0.56; words on TrojVQA, as if patches had not found it, 0.23, next 0.19.
 */
const FINALISTS = { share: 0.2, least: 4 };

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

export function contestSize({ config, targets }: Pick<Problem, "config" | "targets">): ContestSize {
  const whole = Math.ceil(WHOLE * config.innerSteps);
  const heat = Math.ceil(HEAT * whole);
  const finalists = Math.min(
    targets.length,
    Math.max(FINALISTS.least, Math.ceil(FINALISTS.share * targets.length)),
  );
  const steps = targets.length * heat + finalists * (whole - heat);
  return { heat, whole, finalists, steps, counts: targets.length + finalists };
}

export const startContest = <Search extends { readonly step: number }, Found>(
  discipline: Discipline<Search, Found>,
): Contest<Search, Found> => ({ found: [], findings: [], finished: 0, search: discipline.start(0) });

export const isOver = ({ finalists, finished }: Contest<unknown, unknown>): boolean =>
  finished === finalists?.length;

/** Steps that were made. */
export function stepsMade(
  problem: Pick<Problem, "config" | "targets">,
  { found, finalists, finished, search }: Contest<{ readonly step: number }, unknown>,
): number {
  const { heat, whole, steps } = contestSize(problem);
  if (finalists === undefined) return found.length * heat + search.step;
  if (finished === finalists.length) return steps;
  return found.length * heat + finished * (whole - heat) + search.step - heat;
}

/** One step of the search whose turn it is, and the next turn after the last. */
export async function stepContest<Search extends { readonly step: number }, Found>(
  problem: Pick<Problem, "config" | "targets">,
  discipline: Discipline<Search, Found>,
  contest: Contest<Search, Found>,
): Promise<Contest<Search, Found>> {
  const { targets } = problem;
  const { heat, whole } = contestSize(problem);
  const { finalists, finished } = contest;
  const place = finalists?.[finished] ?? contest.found.length;
  const search = await discipline.step(targets[place], contest.search);
  if (search.step < (finalists === undefined ? heat : whole)) return { ...contest, search };
  const done = {
    found: replaced(contest.found, place, discipline.found(search)),
    findings: replaced(contest.findings, place, await discipline.finding(targets[place], search)),
  };
  if (finalists === undefined && done.found.length < targets.length)
    return { ...contest, ...done, search: discipline.start(place + 1) };
  const final = finalists ?? mostPulled(done.findings, contestSize(problem).finalists);
  const turn = finalists === undefined ? 0 : finished + 1;
  const next = final[turn];
  return {
    ...done,
    finalists: final,
    finished: turn,
    search: next === undefined ? search : { ...discipline.start(next, done.found[next]), step: heat },
  };
}

/** Places of the findings that pull most. */
const mostPulled = (findings: readonly Finding[], count: number): number[] =>
  Array.from(findings.keys())
    .sort((a, b) => findings[b].pulled.k - findings[a].pulled.k || a - b)
    .slice(0, count);

const replaced = <Item>(items: readonly Item[], place: number, item: Item): Item[] => [
  ...items.slice(0, place),
  item,
  ...items.slice(place + 1),
];
