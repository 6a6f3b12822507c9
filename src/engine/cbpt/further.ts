import type { Problem } from "./problem.ts";
import type { Suspect } from "./suspect.ts";
import type { Finding } from "./verdict.ts";

/**
 * Share of the classes that are looked at further, and how many there are at least: those that dense triggers pull to
 * most, in a larger ball where nothing stands out, and for other families beside a suspect. A backdoor lets dense
 * triggers go far even where they do not give it away.
 */
const FURTHER = { share: 0.4, least: 4 };
/** With fewer classes than these, one that leads the next says little. */
const FEWEST = 3;

const some = (classes: number): number =>
  Math.min(classes, Math.max(FURTHER.least, Math.ceil(FURTHER.share * classes)));

/** For how many of the classes a dense trigger is inverted in a round: for all in the first, and then for some. */
export const contendersIn = (round: number, { targets }: Pick<Problem, "targets">): number =>
  round === 0 ? targets.length : some(targets.length);

/**
 * Labels of the classes for which a dense trigger is inverted.
 *
 * @param before what those of the round before did; absent in the first.
 */
export const contendersAfter = (
  { targets }: Pick<Problem, "targets">,
  before?: readonly Finding[],
): readonly number[] => (before ? mostPulledTo(targets, before).slice(0, some(targets.length)) : targets);

/** How many classes a family is looked for in beside so many suspects: none where hardly any would be there to compare. */
export function entrantsBeside({ targets }: Pick<Problem, "targets">, suspects: number): number {
  if (suspects === 0) return targets.length;
  const count = Math.min(some(targets.length), targets.length - suspects);
  return count >= FEWEST ? count : 0;
}

/** Labels of the classes that the next family is looked for in: all while nothing is suspected, else the likeliest others. */
export function entrantsAfter(
  problem: Pick<Problem, "targets">,
  findings: readonly Finding[],
  suspects: readonly Suspect[],
): readonly number[] {
  const { targets } = problem;
  if (suspects.length === 0) return targets;
  const others = targets.filter((label) => !suspects.some((suspect) => suspect.label === label));
  return mostPulledTo(others, findings).slice(0, entrantsBeside(problem, suspects.length));
}

/** The labels by how many images dense triggers pull to them, most first. */
function mostPulledTo(labels: readonly number[], findings: readonly Finding[]): number[] {
  const dense = new Map(
    findings.filter(({ family }) => family === "dense").map(({ label, pulled }) => [label, pulled.k]),
  );
  return [...labels].sort((one, other) => dense.get(other)! - dense.get(one)! || one - other);
}
