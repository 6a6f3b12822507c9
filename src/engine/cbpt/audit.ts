import { type Contest, type Discipline, isOver, startContest, stepContest } from "./contest.ts";
import type { FamilyName, FamilyTrigger } from "./families/index.ts";
import { effectOf, findingOf } from "./finding.ts";
import { contendersAfter, entrantsAfter } from "./further.ts";
import {
  areGratingsTried,
  type GratingSearch,
  gratingFindings,
  gratingsOf,
  gratingTrigger,
  startGratings,
  stepGratings,
} from "./gratings.ts";
import { likeTheAttackers } from "./likeness.ts";
import { imageValues, type Problem, shortSide } from "./problem.ts";
import { type Search, startSearch, stepSearches } from "./search.ts";
import type { Suspect } from "./suspect.ts";
import { startUniversal, stepUniversal, type Universal } from "./universal.ts";
import { type Finding, notableGratings, suspectsAmong, type TriggerFamily } from "./verdict.ts";
import {
  type FoundWord,
  namesOfWords,
  startWordSearch,
  stepWordSearch,
  type WordSearch,
  wordFindingOf,
} from "./word-search.ts";
import type { Workbench } from "./workbench.ts";

/** What is left of the search for dense triggers once it is over: [T, 3, H, W]. */
type DenseTriggers = Pick<Universal, "triggers">;

/**
 * Where an audit stands. It inverts one dense trigger per target, and in a larger ball those of the likeliest where no
 * class stands out, counts how many shots each pulls over, tries the gratings, and searches one more family after another, the last of them with
 * a word in the prompts: in every class while nothing stands out, and from then on in those that are likeliest to have a
 * second backdoor. Then it fits triggers of every family to the suspects, and is done.
 */
export type Audit =
  | {
      readonly stage: "invert";
      readonly round: number;
      readonly universal: Universal;
      /** What the dense triggers of the round before did, of every class; absent in the first. */
      readonly before?: readonly Finding[];
    }
  | {
      readonly stage: "count";
      readonly round: number;
      readonly universal: Universal;
      readonly before?: readonly Finding[];
      /** Of the classes that are counted, in the order in which they are. */
      readonly dense: readonly Finding[];
    }
  | {
      readonly stage: "gratings";
      readonly dense: readonly Finding[];
      readonly round: number;
      readonly universal: Universal;
      readonly search: GratingSearch;
    }
  | {
      readonly stage: "fallback";
      readonly round: number;
      readonly universal: DenseTriggers;
      /** Found so far, each with the trigger that gave it away. */
      readonly suspects: readonly Suspect[];
      /** Of the families that are done. */
      readonly findings: readonly Finding[];
      /** Which of FALLBACK_FAMILIES is searched for. */
      readonly turn: number;
      readonly contest: Contest<Search, FamilyTrigger>;
    }
  | {
      readonly stage: "words";
      readonly round: number;
      readonly universal: DenseTriggers;
      /** Found so far, each with the trigger that gave it away. */
      readonly suspects: readonly Suspect[];
      /** Of all families. */
      readonly findings: readonly Finding[];
      readonly contest: Contest<WordSearch, FoundWord>;
    }
  | {
      readonly stage: "refine";
      readonly round: number;
      readonly findings: readonly Finding[];
      readonly suspects: readonly Suspect[];
      /** The dense trigger that each suspect's searches begin with, [3, H, W]. */
      readonly seeds: readonly Float32Array[];
      readonly radius: number;
      /** Of the suspect whose searches these are, one of each refined family. */
      readonly index: number;
      readonly searches: readonly Search[];
    }
  | {
      readonly stage: "done";
      readonly round: number;
      readonly findings: readonly Finding[];
      readonly suspects: readonly Suspect[];
    };

/**
 * Radii of the rounds, in units of a thirty-second of the image's side: L2 norm 2 at 64 pixels is one unit. At two
 * units noise pulls a clean model's images too (0.87 to one class, next 0.70), so the search ends before.
 */
const RADII = [1, 1.5] as const;

export const startAudit = (problem: Problem): Audit => ({
  stage: "invert",
  round: 0,
  universal: startUniversal(problem),
});

/** One step: of every dense trigger, of counting one class, of a few gratings, or of one search. */
export async function stepAudit(bench: Workbench, given: Audit): Promise<Audit> {
  const audit = modern(bench.problem, given);
  switch (audit.stage) {
    case "invert":
      return invert(bench, audit);
    case "count":
      return countNext(bench, audit);
    case "gratings":
      return tryGratings(bench, audit);
    case "fallback":
      return searchOn(bench, audit);
    case "words":
      return tryWords(bench, audit);
    case "refine":
      return refine(bench, audit);
    case "done":
      return audit;
  }
}

/** As an earlier version of this program may have saved it, which looked no further than the first suspect. */
function modern({ targets }: Problem, audit: Audit): Audit {
  if (audit.stage !== "fallback" && audit.stage !== "words") return audit;
  const contest = { ...audit.contest, entrants: audit.contest.entrants ?? targets };
  return { ...audit, suspects: audit.suspects ?? [], contest } as Audit;
}

/** The radii of the rounds: the one that was asked for, or those that are tried until a class stands out. */
export const radiiOf = (problem: Pick<Problem, "config" | "imageSize">): readonly number[] =>
  problem.config.radius > 0 ? [problem.config.radius] : RADII.map((unit) => (unit * shortSide(problem)) / 32);

async function invert(bench: Workbench, audit: Audit & { stage: "invert" }): Promise<Audit> {
  const { problem } = bench;
  const { round, before } = audit;
  const contenders = contendersAfter(problem, before);
  const universal = await stepUniversal(bench, audit.universal, radiiOf(problem)[round]!, contenders);
  const isFinished = universal.step >= (round + 1) * problem.config.innerSteps;
  return isFinished ? { ...audit, stage: "count", universal, dense: [] } : { ...audit, universal };
}

async function countNext(bench: Workbench, audit: Audit & { stage: "count" }): Promise<Audit> {
  const { problem } = bench;
  const { round, universal, before } = audit;
  const contenders = contendersAfter(problem, before);
  const label = contenders[audit.dense.length];
  const counted = [
    ...audit.dense,
    await findingOf(bench, label, denseTrigger(problem, universal, label), "dense"),
  ];
  if (counted.length < contenders.length) return { ...audit, dense: counted };
  const dense = latest(problem, [...counted, ...(before ?? [])]);
  const isLast = round + 1 === radiiOf(problem).length;
  if (!isLast && suspectsAmong(dense).length === 0)
    return { stage: "invert", round: round + 1, universal, before: dense };
  return { stage: "gratings", dense, round, universal, search: startGratings(problem) };
}

/** Of every class the first of the findings. */
const latest = ({ targets }: Problem, findings: readonly Finding[]): Finding[] =>
  targets.map((target) => findings.find(({ label }) => label === target)!);

async function tryGratings(bench: Workbench, audit: Audit & { stage: "gratings" }): Promise<Audit> {
  const { problem } = bench;
  const { universal } = audit;
  const all = gratingsOf(problem);
  const search = await stepGratings(bench, audit.search);
  if (!areGratingsTried(search)) return { ...audit, search };
  const triggerOf = ({ label, family }: Finding): FamilyTrigger =>
    family === "grating"
      ? { family, place: [], values: gratingTrigger(all[search.best[label]], problem.imageSize) }
      : denseTrigger(problem, universal, label);
  const gratings = all.length > 0 ? gratingFindings(search, problem.targets) : [];
  const findings = [...audit.dense, ...(await lookedAt(bench, gratings, triggerOf))];
  const suspects = suspectsOf(suspectsAmong(findings), triggerOf);
  return searchFurther(bench, { ...audit, findings, suspects }, 0);
}

/** Notable gratings with their attraction: large waves damage images, and a damaged image must look like something. */
function lookedAt(
  bench: Workbench,
  gratings: readonly Finding[],
  triggerOf: (finding: Finding) => FamilyTrigger,
): Promise<Finding[]> {
  const notable = notableGratings(gratings);
  const look = async (finding: Finding): Promise<Finding> =>
    notable.includes(finding)
      ? { ...finding, attraction: (await effectOf(bench, finding.label, triggerOf(finding))).attraction }
      : finding;
  return Promise.all(gratings.map(look));
}

/** What an audit has come to when a family is done. */
interface Searched {
  readonly round: number;
  readonly universal: DenseTriggers;
  readonly findings: readonly Finding[];
  readonly suspects: readonly Suspect[];
}

/** The found radius times this bounds the dense triggers of a suspect: it may grow until it pulls nearly every shot. */
const REFINED_RADIUS = 1.5;
/** What is looked for after dense triggers and gratings, one family after another: in every class if those told nothing. */
export const FALLBACK_FAMILIES = ["patch", "shade"] as const satisfies readonly (FamilyName &
  TriggerFamily)[];

/** On to the family whose turn it is, to words after the last, or to what is fitted to the suspects. */
function searchFurther(bench: Workbench, searched: Searched, turn: number): Audit {
  const { problem } = bench;
  const { round, findings, suspects } = searched;
  const universal = { triggers: searched.universal.triggers };
  const entrants = entrantsAfter(problem, findings, suspects);
  const begun = { round, universal, findings, suspects };
  if (entrants.length > 0 && turn < FALLBACK_FAMILIES.length) {
    const contest = startContest(entrants, searchOfFamily(bench, { universal, turn }));
    return { stage: "fallback", ...begun, turn, contest };
  }
  if (entrants.length > 0 && problem.wordLayout)
    return { stage: "words", ...begun, contest: startContest(entrants, searchOfWord(bench)) };
  return startRefining(problem, searched);
}

type Fallback = Audit & { stage: "fallback" };

/** A search for a trigger of the family whose turn it is, from the dense one on. */
function searchOfFamily(
  bench: Workbench,
  { universal, turn }: Pick<Fallback, "universal" | "turn">,
): Discipline<Search, FamilyTrigger> {
  const { problem } = bench;
  const family = FALLBACK_FAMILIES[turn];
  const [radius] = radiiOf(problem);
  return {
    start(label, trigger) {
      const dense = denseTrigger(problem, universal, label).values;
      const search = startSearch(family, { size: problem.imageSize, dense, radius });
      return trigger ? { ...search, trigger } : search;
    },
    step: async (label, search) => (await stepSearches(bench, label, [search], radius))[0],
    found: ({ trigger }) => trigger,
    finding: (label, { trigger }) => findingOf(bench, label, trigger, family),
  };
}

async function searchOn(bench: Workbench, audit: Fallback): Promise<Audit> {
  const contest = await stepContest(bench.problem, searchOfFamily(bench, audit), audit.contest);
  if (!isOver(contest)) return { ...audit, contest };
  const findings = [...audit.findings, ...contest.findings];
  const found = suspectsOf(newSuspects(findings, contest), foundBy(contest));
  return searchFurther(
    bench,
    { ...audit, findings, suspects: [...audit.suspects, ...found] },
    audit.turn + 1,
  );
}

/** Those among all findings that a contest has brought. */
const newSuspects = (all: readonly Finding[], { findings }: Contest<unknown, unknown>): Finding[] =>
  suspectsAmong(all).filter((finding) => findings.includes(finding));

/** What a contest has found for a class. */
const foundBy =
  <Found>({ entrants, found }: Contest<unknown, Found>) =>
  ({ label }: Finding): Found =>
    found[entrants.indexOf(label)];

function searchOfWord(bench: Workbench): Discipline<WordSearch, FoundWord> {
  const { problem } = bench;
  const [radius] = radiiOf(problem);
  return {
    start: (_, found) => ({ ...startWordSearch(problem), ...found }),
    step: (label, search) => stepWordSearch(bench, label, search, radius),
    found: ({ trigger, word }) => ({ trigger, word }),
    finding: (label, search) => wordFindingOf(bench, label, search),
  };
}

async function tryWords(bench: Workbench, audit: Audit & { stage: "words" }): Promise<Audit> {
  const { problem } = bench;
  const contest = await stepContest(problem, searchOfWord(bench), audit.contest);
  if (!isOver(contest)) return { ...audit, contest };
  const foundFor = foundBy(contest);
  const suspected = newSuspects([...audit.findings, ...contest.findings], contest);
  const words = await namesOfWords(
    problem,
    suspected.map((finding) => foundFor(finding).word),
  );
  const named = contest.findings.map((finding) => {
    const place = suspected.indexOf(finding);
    return place < 0 ? finding : { ...finding, word: words[place] };
  });
  const found = suspectsOf(suspected, (finding) => ({
    family: "dense",
    place: [],
    values: foundFor(finding).trigger,
  }));
  const findings = [...audit.findings, ...named];
  return startRefining(problem, { ...audit, findings, suspects: [...audit.suspects, ...found] });
}

/** What is fitted to a suspect, beside the trigger that gave it away: the attacker's own may be of any kind. */
export const REFINED_FAMILIES = [
  "dense",
  "patch",
  "veil",
  "warp",
  "jitter",
] as const satisfies readonly FamilyName[];

/** Triggers of a suspect, when all that are fitted to it are like the attacker's. */
export const MOST_TRIGGERS = 1 + REFINED_FAMILIES.length;

/** A class that two families caught at once is one suspect. */
function suspectsOf(
  suspected: readonly Finding[],
  triggerOf: (finding: Finding) => FamilyTrigger,
): Suspect[] {
  const caught = suspected.filter(
    ({ label }, place) => suspected.findIndex((other) => other.label === label) === place,
  );
  return caught.map((finding) => {
    const { family, values, place } = triggerOf(finding);
    return {
      label: finding.label,
      family: finding.family,
      triggers: [{ family, place, values: values.slice() }],
    };
  });
}

function startRefining(problem: Problem, { round, universal, findings, suspects }: Searched): Audit {
  if (suspects.length === 0) return { stage: "done", round, findings, suspects };
  const seeds = suspects.map(({ label }) => denseTrigger(problem, universal, label).values.slice());
  const radius = REFINED_RADIUS * radiiOf(problem)[round];
  const refining = { stage: "refine", round, findings, suspects, seeds, radius, index: 0 } as const;
  return { ...refining, searches: startSearches(problem, refining) };
}

type Refining = Omit<Audit & { stage: "refine" }, "searches">;

const startSearches = ({ imageSize: size }: Problem, { seeds, index, radius }: Refining): Search[] =>
  REFINED_FAMILIES.map((family) => startSearch(family, { size, dense: seeds[index], radius }));

async function refine(bench: Workbench, audit: Audit & { stage: "refine" }): Promise<Audit> {
  const { problem } = bench;
  const suspect = audit.suspects[audit.index];
  const searches = await stepSearches(bench, suspect.label, audit.searches, audit.radius);
  if (searches[0].step < problem.config.innerSteps) return { ...audit, searches };
  const fitted = searches.map(({ trigger }) => trigger);
  const triggers = [...suspect.triggers, ...(await likeTheAttackers(bench, suspect, fitted))];
  const suspects = audit.suspects.map((old, index) => (index === audit.index ? { ...old, triggers } : old));
  const index = audit.index + 1;
  const { round, findings } = audit;
  if (index === suspects.length) return { stage: "done", round, findings, suspects };
  const refining = { ...audit, suspects, index };
  return { ...refining, searches: startSearches(problem, refining) };
}

function denseTrigger(problem: Problem, { triggers }: DenseTriggers, label: number): FamilyTrigger {
  const size = imageValues(problem);
  const place = problem.targets.indexOf(label);
  return { family: "dense", place: [], values: triggers.subarray(place * size, (place + 1) * size) };
}
