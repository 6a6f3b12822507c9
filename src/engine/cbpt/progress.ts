import { threadsFor } from "../runtime/useful-threads.ts";
import { type Audit, FALLBACK_FAMILIES, REFINED_FAMILIES, radiiOf } from "./audit.ts";
import { contestSize, stepsMade } from "./contest.ts";
import { COUNTED } from "./finding.ts";
import { contendersAfter, contendersIn, entrantsBeside } from "./further.ts";
import { gratingStepsMade, gratingsSize } from "./gratings.ts";
import { LOSSES } from "./objective.ts";
import { type PlannedPhase, planPurification, tuningFlops, WORK_KINDS, type WorkKind } from "./plan.ts";
import type { Problem } from "./problem.ts";
import type { Purification } from "./purification.ts";
import { recovers } from "./recovery.ts";
import { IMAGES_PER_RUN, RUNS_PER_STEP } from "./search.ts";
import { isWarmingUp, rowsPerBatch, stepsPerEpoch, type Tuning } from "./tuning.ts";
import { type Finding, suspectsAmong } from "./verdict.ts";

/** Where a run stands, for those who watch it. */
export interface Progress {
  /** What is being done: `invert`, `count`, `gratings`, `fallback`, `words`, `refine`, `warm up`, `tune` or `recover`. */
  readonly phase: string;
  /** Tuning counts epochs from 1, and from 1 again when it learns recovery prompts; before it, the rounds of the audit are counted. */
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly losses: readonly { readonly name: string; readonly value: number }[];
  /** 0 to 1, nearly in proportion to time: what is left is shared out among what is foreseen, so it never falls. */
  readonly fraction: number;
  /** Images that one step of this phase looks at. */
  readonly images: number;
}

type Place = Omit<Progress, "losses" | "fraction"> & Partial<Pick<Progress, "losses">>;

/** A stretch of a run that is done whole before anything new shows of what follows. */
interface Leg {
  readonly work: number;
  /** Work that was foreseen after it when it began. */
  readonly after: number;
}

export function progressOf(problem: Problem, state: Purification): Progress {
  const works = worksOf(problem);
  const after = works.encode + works.warmUp + works.tune + works.recover;
  if (state.phase === "audit") return auditProgress(problem, state.audit, after);
  const audited = problem.config.mode === "PUBLISHED" ? [] : legsOf(problem, state, after);
  const { tuning, recovery } = state;
  return {
    ...placeInTuning(problem, recovery ?? tuning),
    ...(recovery ? { phase: "recover" } : {}),
    fraction: fractionOf([...audited, ...tuningLegs(problem, state)]),
  };
}

/** The same for an audit alone; `after` is the work that follows it. */
export function auditProgress(problem: Problem, audit: Audit, after = 0): Progress {
  const place = placeInAudit(problem, audit);
  const legs = legsOf(problem, audit, after);
  return { losses: [], ...place, fraction: fractionOf(legs, shareOf(problem, audit, place)) };
}

/** The share of its leg that an audit has done. */
function shareOf(problem: Problem, audit: Audit, { step, steps }: Place): number {
  const { stage } = audit;
  const { invert, count } = worksOf(problem);
  const share = steps > 0 ? step / steps : 1;
  if (stage === "fallback") return stepsMade(problem, audit.contest) / stepsOf(problem, audit.contest);
  if (stage === "invert") return (share * invert) / (invert + count);
  return stage === "count" ? (invert + share * count) / (invert + count) : share;
}

/** Each leg takes its part of what those before it left, as it was foreseen then; of the last, only a share. */
function fractionOf(legs: readonly Leg[], share = 1): number {
  const left = legs.reduce((rest, { work, after }, index) => {
    const done = index === legs.length - 1 ? share * work : work;
    return work > 0 ? rest * (1 - done / (work + after)) : rest;
  }, 1);
  return 1 - left;
}

/** What an audit has come to, in any of its stages and after it. */
type Audited = Pick<Audit, "round"> & {
  readonly stage?: Audit["stage"];
  readonly dense?: readonly Finding[];
  readonly findings?: readonly Finding[];
  readonly suspects?: readonly unknown[];
  readonly contest?: { readonly entrants: readonly number[] };
};

/**
 * The legs that an audit has taken, its present one last. A round is taken for the last one, and a suspect for one that
 * is found by it; a run that is not so lucky slows down.
 */
function legsOf(problem: Problem, audit: Audited, after: number): Leg[] {
  const works = worksOf(problem);
  const { round, stage, suspects, contest } = audit;
  const all = problem.targets.length;
  const shareOfClasses = (entrants: number) =>
    contestSize(problem, entrants).steps / contestSize(problem, all).steps;
  const searches = [...FALLBACK_FAMILIES.map(() => works.fallback), works.words];
  /** What is foreseen where a family is looked for in so many classes: all, as long as nothing is suspected. */
  const furtherWork = (entrants: number, from: number) =>
    shareOfClasses(entrants) * searches.slice(from).reduce((sum, work) => sum + work, 0) +
    (entrants < all ? works.refine : 0);
  const legs: Leg[] = Array.from({ length: round + 1 }, (_, one) => ({
    work: (works.invert + works.count) * (contendersIn(one, problem) / all),
    after: works.gratings + furtherWork(entrantsBeside(problem, 1), 0) + after,
  }));
  if (stage === "invert" || stage === "count") return legs;
  const findings = audit.findings ?? audit.dense ?? [];
  const found = suspectsAmong(findings.filter(({ family }) => family === "dense")).length;
  legs.push({ work: works.gratings, after: furtherWork(entrantsBeside(problem, found), 0) + after });
  for (const [turn, family] of [...FALLBACK_FAMILIES, "word" as const].entries()) {
    const looked = findings.filter((finding) => finding.family === family).length;
    const entrants = looked || (contest?.entrants.length ?? 0);
    if (entrants === 0) break;
    const work = shareOfClasses(entrants) * searches[turn];
    legs.push({ work, after: furtherWork(entrants, turn + 1) + after });
    if (looked === 0) break;
  }
  const fits = stage !== "fallback" && stage !== "words";
  if (fits && suspects && suspects.length > 0) legs.push({ work: suspects.length * works.refine, after });
  return legs;
}

function placeInAudit(problem: Problem, audit: Audit): Place {
  const { innerSteps, innerBatch } = problem.config;
  const place = { epoch: audit.round + 1, epochs: radiiOf(problem).length };
  switch (audit.stage) {
    case "invert": {
      const step = audit.universal.step - audit.round * innerSteps;
      return {
        phase: "invert",
        ...place,
        step,
        steps: innerSteps,
        losses: [{ name: "inversion", value: mean(audit.universal.losses) }],
        images: contendersAfter(problem, audit.before).length * innerBatch,
      };
    }
    case "count": {
      const step = audit.dense.length;
      return {
        phase: "count",
        ...place,
        step,
        steps: contendersAfter(problem, audit.before).length,
        images: Math.min(COUNTED, problem.shots.length),
      };
    }
    case "gratings": {
      const { steps, imagesPerStep } = gratingsSize(problem);
      return {
        phase: "gratings",
        ...place,
        step: gratingStepsMade(audit.search),
        steps,
        images: imagesPerStep,
      };
    }
    case "fallback": {
      // Families before this one were looked for in as many classes as they have findings.
      const before = FALLBACK_FAMILIES.slice(0, audit.turn).map(
        (family) => audit.findings.filter((finding) => finding.family === family).length,
      );
      const done = before.reduce((sum, entrants) => sum + contestSize(problem, entrants).steps, 0);
      const left = FALLBACK_FAMILIES.length - audit.turn;
      return {
        phase: "fallback",
        ...place,
        step: done + stepsMade(problem, audit.contest),
        steps: done + left * stepsOf(problem, audit.contest),
        losses: [{ name: "inversion", value: mean(audit.contest.searches.map(({ loss }) => loss)) }],
        images: audit.contest.searches.length * SEARCHED,
      };
    }
    case "words":
      return {
        phase: "words",
        ...place,
        step: stepsMade(problem, audit.contest),
        steps: stepsOf(problem, audit.contest),
        losses: [{ name: "inversion", value: mean(audit.contest.searches.map(({ loss }) => loss)) }],
        images: audit.contest.searches.length * SEARCHED,
      };
    case "refine": {
      const steps = audit.suspects.length * innerSteps;
      const step = audit.index * innerSteps + audit.searches[0].step;
      return {
        phase: "refine",
        ...place,
        step,
        steps,
        losses: [{ name: "inversion", value: Math.min(...audit.searches.map(({ loss }) => loss)) }],
        images: REFINED_FAMILIES.length * SEARCHED,
      };
    }
    case "done":
      return { phase: "audited", ...place, step: 1, steps: 1, images: 0 };
  }
}

const stepsOf = (problem: Problem, { entrants }: { readonly entrants: readonly number[] }): number =>
  contestSize(problem, entrants.length).steps;

function placeInTuning(problem: Problem, tuning: Tuning): Omit<Progress, "fraction"> {
  const { epochs } = problem.config;
  return {
    phase: isWarmingUp(problem, tuning) ? "warm up" : "tune",
    epoch: Math.min(tuning.epoch + 1, epochs),
    epochs,
    step: tuning.batch,
    steps: stepsPerEpoch(problem),
    losses: LOSSES.map((name, index) => ({ name, value: tuning.losses[index] })),
    images: rowsPerBatch(problem),
  };
}

/** What tuning has done, one leg after the other; the first step also encodes the dummies. */
function tuningLegs(
  problem: Problem,
  { tuning, recovery, suspects }: Pick<Purification & { phase: "tune" }, "tuning" | "recovery" | "suspects">,
): Leg[] {
  const { encode, warmUp, tune, recover } = worksOf(problem);
  const { epochs, warmupEpochs } = problem.config;
  const done = epochsDone(problem, tuning);
  if (done === 0) return [];
  const warmed = warmUp * Math.min(1, done / Math.max(1, warmupEpochs));
  const tuned = tune * Math.max(0, (done - warmupEpochs) / Math.max(1, epochs - warmupEpochs));
  const recovering = recovers(problem, suspects) ? recover : 0;
  const recovered = recovery ? (recovering * epochsDone(problem, recovery)) / epochs : 0;
  const work = encode + warmed + tuned + recovered;
  return [{ work, after: encode + warmUp + tune + recovering - work }];
}

const epochsDone = (problem: Problem, { epoch, batch }: Tuning): number =>
  epoch + batch / stepsPerEpoch(problem);

/** Images that one step of a search looks at. */
const SEARCHED = IMAGES_PER_RUN * RUNS_PER_STEP;

/** How long each phase takes, in the time of a forward pass's operations: one suspect. */
interface Works {
  /** Of the first round, which is of all classes. */
  readonly invert: number;
  /** Of the first round. */
  readonly count: number;
  readonly gratings: number;
  /** One of its families. */
  readonly fallback: number;
  readonly words: number;
  readonly refine: number;
  /** The dummies, before tuning. */
  readonly encode: number;
  readonly warmUp: number;
  readonly tune: number;
  readonly recover: number;
}

/**
 * Time of an operation beside that of a forward pass of images: a backward pass has smaller products, and prompts are
 * small beside the arithmetic around them.
 */
const SLOWNESS: Readonly<Record<WorkKind, number>> = { image: 1, gradient: 1.2, text: 2 };

const known = new WeakMap<Problem, Works>();

/** Counted once, as a plan counts it. */
function worksOf(problem: Problem): Works {
  const works = known.get(problem) ?? countWorks(problem);
  known.set(problem, works);
  return works;
}

function countWorks(problem: Problem): Works {
  const size = { ...problem, prompts: { count: 0, length: problem.layout.length } };
  const { phases } = planPurification(size);
  // Short runs of the text tower have one thread, while images have them all.
  const tuning = tuningFlops(size, rowsPerBatch(problem));
  const text = SLOWNESS.text * (problem.threads / threadsFor(tuning, problem.threads));
  const slowness = { ...SLOWNESS, text };
  const timeOf = ({ flops }: PlannedPhase) =>
    WORK_KINDS.reduce((sum, kind) => sum + slowness[kind] * flops[kind], 0);
  const of = (wanted: string) =>
    phases.filter(({ name }) => name === wanted).reduce((sum, phase) => sum + timeOf(phase), 0);
  const rounds = Array.from(radiiOf(problem), (_, round) => contendersIn(round, problem));
  const first = rounds[0] / rounds.reduce((sum, contenders) => sum + contenders, 0);
  const { epochs, warmupEpochs } = problem.config;
  const warmingUp = warmupEpochs * stepsPerEpoch(problem) * text * tuning;
  const warmUp = warmupEpochs < epochs ? warmingUp : of("tune");
  return {
    invert: first * of("invert"),
    count: first * of("count"),
    gratings: of("gratings"),
    fallback: of("fallback") / FALLBACK_FAMILIES.length,
    words: of("words"),
    refine: of("refine"),
    encode: of("encode"),
    warmUp,
    tune: of("tune") - warmUp,
    recover: of("recover"),
  };
}

function mean(values: Float32Array | readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
