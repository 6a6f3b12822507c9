import { join } from "node:path";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { type Audit, FALLBACK_FAMILIES, REFINED_FAMILIES } from "../../../src/engine/cbpt/audit.ts";
import { type CbptConfig, completeConfig, type Mode } from "../../../src/engine/cbpt/config.ts";
import { type Contest, isOver, startContest, stepContest } from "../../../src/engine/cbpt/contest.ts";
import {
  finalistsOf,
  type GratingSearch,
  gratingsOf,
  startGratings,
} from "../../../src/engine/cbpt/gratings.ts";
import { planPurification } from "../../../src/engine/cbpt/plan.ts";
import { prepareProblem } from "../../../src/engine/cbpt/prepare.ts";
import type { Problem } from "../../../src/engine/cbpt/problem.ts";
import { auditProgress, progressOf } from "../../../src/engine/cbpt/progress.ts";
import { type Purification, startPurification } from "../../../src/engine/cbpt/purification.ts";
import { recovers } from "../../../src/engine/cbpt/recovery.ts";
import { startSearch } from "../../../src/engine/cbpt/search.ts";
import { stepsPerEpoch, type Tuning } from "../../../src/engine/cbpt/tuning.ts";
import { startUniversal } from "../../../src/engine/cbpt/universal.ts";
import type { Finding } from "../../../src/engine/cbpt/verdict.ts";
import { startWordSearch } from "../../../src/engine/cbpt/word-search.ts";
import { type Checkpoint, openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";

/** States are made here as a run would come through them; nothing is computed but their progress. */
const LABELS = ["cat", "dog", "a", "the"];

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(join(__dirname, "../../fixtures/clip/resnet"));
});

const problemOf = (mode: Mode, given: Partial<CbptConfig> = {}): Promise<Problem> =>
  prepareProblem({
    checkpoint,
    config: completeConfig(mode, given),
    labels: LABELS,
    templates: ["a {}"],
    shots: LABELS.map((_, label) => ({ label, pixels: new Float32Array(3 * 64 * 64) })),
    device: "cpu",
    threads: 1,
  });

interface Course {
  readonly rounds: number;
  /** Where the suspect shows, if there is one. */
  readonly found?: "dense" | "grating" | "patch" | "shade";
}

const COURSES: Course[] = [
  { rounds: 1, found: "dense" },
  { rounds: 2, found: "dense" },
  { rounds: 2, found: "grating" },
  { rounds: 2, found: "patch" },
  { rounds: 2, found: "shade" },
  { rounds: 2 },
];

const EVERY = [0, 1, 2, 3];
const SUSPECT = 1;

const pulls = (family: Finding["family"], found: boolean, labels: readonly number[] = EVERY): Finding[] =>
  labels.map((label) => ({ label, family, pulled: { k: found && label === SUSPECT ? 10 : 0, n: 10 } }));

/** The states of a contest of searches that come to nothing, before it is over. */
async function contestOf<Search extends { step: number }, Found>(
  problem: Problem,
  entrants: readonly number[],
  begin: Search,
  found: (search: Search) => Found,
): Promise<Contest<Search, Found>[]> {
  const discipline = {
    start: (): Search => begin,
    step: async (_: number, search: Search) => ({ ...search, step: search.step + 1 }),
    found,
    finding: async (label: number) => pulls("patch", false)[label],
  };
  const states: Contest<Search, Found>[] = [];
  let contest: Contest<Search, Found> = startContest(entrants, discipline);
  for (; !isOver(contest); contest = await stepContest(problem, discipline, contest)) states.push(contest);
  return states;
}

/** The states of the search through the gratings, before it is over. */
function wavesOf(problem: Problem): GratingSearch[] {
  const still = startGratings(problem);
  const count = gratingsOf(problem).length;
  const heat = Array.from({ length: Math.max(1, Math.ceil(count / 24)) }, (_, step) => ({
    ...still,
    next: 24 * step,
  }));
  const finalists = finalistsOf(still.heat, problem.labels.length);
  const final = Array.from({ length: Math.ceil(finalists.length / 6) }, (_, step) => ({
    ...still,
    next: count,
    finalists,
    finished: 6 * step,
  }));
  return [...heat, ...final];
}

/** The states of an audit that takes such a course, from its first to "done". */
async function auditOf(problem: Problem, { rounds, found }: Course): Promise<Audit[]> {
  const { config } = problem;
  const seed = { size: problem.imageSize, dense: new Float32Array(3 * 64 * 64), radius: 1 };
  const still = startUniversal(problem);
  const universal = (step: number) => ({ ...still, step });
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
  const rising = upTo(rounds).flatMap((round): Audit[] => [
    ...upTo(config.innerSteps).map(
      (step): Audit => ({ stage: "invert", round, universal: universal(round * config.innerSteps + step) }),
    ),
    ...upTo(LABELS.length).map(
      (done): Audit => ({
        stage: "count",
        round,
        universal: universal(0),
        dense: pulls("dense", false).slice(0, done),
      }),
    ),
  ]);
  const round = rounds - 1;
  const dense = pulls("dense", found === "dense");
  const common = { round, universal: still };
  const gratings = wavesOf(problem).map((search): Audit => ({ stage: "gratings", ...common, dense, search }));
  const waves = [...dense, ...pulls("grating", found === "grating")];
  const patch = startSearch("patch", seed);
  const suspects = found ? [{ label: SUSPECT, family: found, triggers: [patch.trigger] }] : [];
  const further = ["patch", "shade", "word"] as const;
  /** Once there is a suspect, the others are looked at. */
  const begun = further.map((_, turn) => {
    const known = found !== undefined && !(further.slice(turn) as readonly string[]).includes(found);
    return {
      suspects: known ? suspects : [],
      entrants: known ? EVERY.filter((label) => label !== SUSPECT) : EVERY,
    };
  });
  const seen = begun.map(({ entrants }, turn) => pulls(further[turn], found === further[turn], entrants));
  const searching = await Promise.all(
    FALLBACK_FAMILIES.map(async (_, turn): Promise<Audit[]> => {
      const { suspects, entrants } = begun[turn];
      const findings = [...waves, ...seen.slice(0, turn).flat()];
      const contests = await contestOf(problem, entrants, patch, ({ trigger }) => trigger);
      return contests.map((contest) => ({ stage: "fallback", ...common, findings, suspects, turn, contest }));
    }),
  );
  const { suspects: known, entrants } = begun[2];
  const contests = await contestOf(problem, entrants, startWordSearch(problem), (search) => search);
  const wordless = [...waves, ...seen.slice(0, 2).flat()];
  const words = contests.map(
    (contest): Audit => ({ stage: "words", ...common, findings: wordless, suspects: known, contest }),
  );
  const findings = [...wordless, ...seen[2]];
  const fitting = REFINED_FAMILIES.map((family) => startSearch(family, seed));
  const refining = upTo(found ? config.innerSteps : 0).map((step): Audit => {
    const searches = fitting.map((search) => ({ ...search, step }));
    return { stage: "refine", round, findings, suspects, seeds: [seed.dense], radius: 1, index: 0, searches };
  });
  return [
    ...rising,
    ...gratings,
    ...searching.flat(),
    ...words,
    ...refining,
    { stage: "done", round, findings, suspects },
  ];
}

/** Before its first step, and after each. */
const tuningsOf = (problem: Problem, begin: Tuning): Tuning[] =>
  Array.from({ length: problem.config.epochs * stepsPerEpoch(problem) + 1 }, (_, step) => ({
    ...begin,
    epoch: Math.floor(step / stepsPerEpoch(problem)),
    batch: step % stepsPerEpoch(problem),
  }));

type TunePhase = Purification & { phase: "tune" };

async function purificationOf(problem: Problem, course: Course): Promise<Purification[]> {
  const audits = problem.config.mode === "PUBLISHED" ? [] : await auditOf(problem, course);
  const begin = startPurification({ ...problem, config: { ...problem.config, mode: "PUBLISHED" } });
  if (begin.phase !== "tune") throw new Error("The published mode begins with tuning.");
  const audited = audits.at(-1) as (Audit & { stage: "done" }) | undefined;
  const { round, findings, suspects } = audited ?? begin;
  const tunings = tuningsOf(problem, begin.tuning);
  const tuned = tunings.map((tuning): TunePhase => ({ ...begin, round, findings, suspects, tuning }));
  const last = tuned[tuned.length - 1];
  const recovered = recovers(problem, suspects) ? tunings.map((recovery) => ({ ...last, recovery })) : [];
  const audit = audits.slice(0, -1).map((audit): Purification => ({ phase: "audit", audit }));
  return [...audit, ...tuned, ...recovered];
}

describe.each(COURSES)("a run of $rounds rounds with its suspect found by $found", (course) => {
  test.each([{}, { gratingCycles: 0 }, { warmupEpochs: 5, epochs: 20 }, { warmupEpochs: 3, epochs: 3 }])(
    "has a progress that rises from 0 to 1 without a leap, with %o",
    async (given) => {
      const problem = await problemOf("UNIVERSAL", { ...given, innerSteps: 40 });
      const states = await purificationOf(problem, course);
      const fractions = states.map((state) => progressOf(problem, state).fraction);
      expect(fractions[0]).toBe(0);
      expect(fractions.at(-1)).toBeCloseTo(1, 9);
      const steps = fractions.slice(1).map((fraction, index) => fraction - fractions[index]);
      expect(Math.min(...steps)).toBeGreaterThanOrEqual(0);
      // The largest is that of the step which encodes every dummy, or of an epoch where there are but three.
      expect(Math.max(...steps)).toBeLessThan(0.1);
    },
  );

  test("has an audit that ends at 1 by itself", async () => {
    const problem = await problemOf("UNIVERSAL", { innerSteps: 6 });
    const audits = await auditOf(problem, course);
    const fractions = audits.map((audit) => auditProgress(problem, audit).fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBeCloseTo(1, 9);
  });
});

test("the share of each phase is that of its operations, where all comes as foreseen", async () => {
  const problem = await problemOf("UNIVERSAL", { radius: 2 });
  const states = await purificationOf(problem, { rounds: 1, found: "dense" });
  const endOf = (stage: string) =>
    progressOf(
      problem,
      states[states.findLastIndex((state) => state.phase === "audit" && state.audit.stage === stage) + 1],
    ).fraction;
  const { phases } = planPurification({ ...problem, prompts: { count: 0, length: 3 } });
  const images = (name: string) => {
    const { flops } = phases.find((phase) => phase.name === name)!;
    return flops.image + 1.2 * flops.gradient;
  };
  const refined = endOf("refine") - endOf("words");
  for (const [name, share] of [
    ["gratings", endOf("gratings") - endOf("count")],
    ["invert", endOf("invert")],
  ] as const)
    expect(share / refined).toBeCloseTo(images(name) / images("refine"), 9);
});

test("in the published mode a step that inverts triggers counts for more than one that warms up", async () => {
  const problem = await problemOf("PUBLISHED");
  const states = await purificationOf(problem, { rounds: 0 });
  const fractions = states.map((state) => progressOf(problem, state).fraction);
  const { warmupEpochs, epochs } = problem.config;
  const perEpoch = stepsPerEpoch(problem);
  expect(fractions[0]).toBe(0);
  expect(fractions.at(-1)).toBeCloseTo(1, 9);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions[warmupEpochs * perEpoch]).toBeLessThan((0.5 * warmupEpochs) / epochs);
});
