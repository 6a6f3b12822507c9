import {
  type Audit,
  FALLBACK_FAMILIES,
  fallbackSteps,
  MOST_TRIGGERS,
  REFINED_FAMILIES,
  radiiOf,
} from "./audit.ts";
import { COUNTED } from "./finding.ts";
import { GRATING_SHOTS, GRATINGS_PER_STEP, gratingsOf } from "./gratings.ts";
import { LOSSES } from "./objective.ts";
import type { Problem } from "./problem.ts";
import type { Purification } from "./purification.ts";
import { IMAGES_PER_RUN, RUNS_PER_STEP } from "./search.ts";
import { isWarmingUp, rowsPerBatch, stepsPerEpoch, type Tuning } from "./tuning.ts";

/** Where a run stands, for those who watch it. */
export interface Progress {
  /** What is being done: `invert`, `count`, `gratings`, `fallback`, `words`, `refine`, `warm up` or `tune`. */
  readonly phase: string;
  /** Tuning counts epochs from 1; before it, the rounds of the audit are counted. */
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly losses: readonly { readonly name: string; readonly value: number }[];
  /** 0 to 1: work done, of all that is foreseen; jumps ahead when an audit needs fewer rounds. */
  readonly fraction: number;
  /** Images that one step of this phase looks at. */
  readonly images: number;
}

/** A forward and a backward pass take about as long as three forward passes. */
const BACKWARD = 3;
/** Tuning runs the text tower only; one of its steps takes about as long as this many images. */
const IMAGES_PER_TUNING_STEP = 15;

export function progressOf(problem: Problem, state: Purification): Progress {
  return state.phase === "audit"
    ? auditProgress(problem, state.audit, tuningWork(problem))
    : tuningProgress(problem, state.tuning);
}

/** The same for an audit alone; `after` is the work that follows it. */
export function auditProgress(problem: Problem, audit: Audit, after = 0): Progress {
  const total = auditWork(problem) + after;
  const { done, ...place } = placeInAudit(problem, audit);
  return { epochs: radiiOf(problem).length, losses: [], ...place, fraction: done / total };
}

type Place = Omit<Progress, "epochs" | "losses" | "fraction"> &
  Partial<Pick<Progress, "losses">> & { readonly done: number };

function placeInAudit(problem: Problem, audit: Audit): Place {
  const { config, targets } = problem;
  const { innerSteps, innerBatch } = config;
  const [invert, count] = [inversionWork(problem), countingWork(problem)];
  switch (audit.stage) {
    case "invert": {
      const step = audit.universal.step - audit.round * innerSteps;
      return {
        phase: "invert",
        epoch: audit.round + 1,
        step,
        steps: innerSteps,
        losses: [{ name: "inversion", value: mean(audit.universal.losses) }],
        done: audit.round * (invert + count) + (invert * step) / innerSteps,
        images: targets.length * innerBatch,
      };
    }
    case "count": {
      const step = audit.dense.length;
      return {
        phase: "count",
        epoch: audit.round + 1,
        step,
        steps: targets.length,
        done: audit.round * (invert + count) + invert + (count * step) / targets.length,
        images: count / targets.length,
      };
    }
    case "gratings":
      return {
        phase: "gratings",
        epoch: audit.round + 1,
        step: audit.search.next,
        steps: gratingsOf(problem).length,
        done:
          auditWork(problem) -
          refiningWork(problem) -
          wordsWork(problem) -
          fallbackWork(problem) -
          (gratingsOf(problem).length - audit.search.next) * GRATING_SHOTS,
        images: GRATINGS_PER_STEP * GRATING_SHOTS,
      };
    case "fallback": {
      const steps = fallbackSearches(problem) * fallbackSteps(problem);
      const before = audit.turn * targets.length + audit.triggers.length;
      const step = before * fallbackSteps(problem) + audit.search.step;
      return {
        phase: "fallback",
        epoch: audit.round + 1,
        step,
        steps,
        losses: [{ name: "inversion", value: audit.search.loss }],
        done:
          auditWork(problem) -
          refiningWork(problem) -
          wordsWork(problem) -
          fallbackWork(problem) * (1 - step / steps),
        images: SEARCHED,
      };
    }
    case "words": {
      const steps = targets.length * fallbackSteps(problem);
      const step = audit.found.length * fallbackSteps(problem) + audit.search.step;
      return {
        phase: "words",
        epoch: audit.round + 1,
        step,
        steps,
        losses: [{ name: "inversion", value: audit.search.loss }],
        done: auditWork(problem) - refiningWork(problem) - wordsWork(problem) * (1 - step / steps),
        images: SEARCHED,
      };
    }
    case "refine": {
      const steps = audit.suspects.length * innerSteps;
      const step = audit.index * innerSteps + audit.searches[0].step;
      return {
        phase: "refine",
        epoch: 1,
        step,
        steps,
        losses: [{ name: "inversion", value: Math.min(...audit.searches.map(({ loss }) => loss)) }],
        done: auditWork(problem) - refiningWork(problem) * (1 - step / steps),
        images: REFINED_FAMILIES.length * SEARCHED,
      };
    }
    case "done":
      return { phase: "audited", epoch: 1, step: 1, steps: 1, done: auditWork(problem), images: 0 };
  }
}

function tuningProgress(problem: Problem, tuning: Tuning): Progress {
  const { epochs, mode } = problem.config;
  const steps = stepsPerEpoch(problem);
  const audited = mode === "PUBLISHED" ? 0 : auditWork(problem);
  const done = (tuning.epoch * steps + tuning.batch) / (epochs * steps);
  const work = tuningWork(problem);
  return {
    phase: isWarmingUp(problem, tuning) ? "warm up" : "tune",
    epoch: Math.min(tuning.epoch + 1, epochs),
    epochs,
    step: tuning.batch,
    steps,
    losses: LOSSES.map((name, index) => ({ name, value: tuning.losses[index] })),
    fraction: (audited + work * done) / (audited + work),
    images: rowsPerBatch(problem),
  };
}

/** Work is counted in forward passes of one image. */
const auditWork = (problem: Problem): number =>
  radiiOf(problem).length * (inversionWork(problem) + countingWork(problem)) +
  gratingsOf(problem).length * GRATING_SHOTS +
  fallbackWork(problem) +
  wordsWork(problem) +
  refiningWork(problem);

const inversionWork = ({ config, targets }: Problem): number =>
  config.innerSteps * config.innerBatch * targets.length * BACKWARD;

const countingWork = ({ targets, shots }: Problem): number =>
  targets.length * Math.min(COUNTED, shots.length);

/** Images that one step of a search looks at. */
const SEARCHED = IMAGES_PER_RUN * RUNS_PER_STEP;

/** Foreseen, although a suspect that was found before saves it. */
const fallbackWork = (problem: Problem): number =>
  fallbackSearches(problem) * fallbackSteps(problem) * SEARCHED * BACKWARD;

const wordsWork = (problem: Problem): number =>
  problem.wordLayout
    ? problem.targets.length * fallbackSteps(problem) * (SEARCHED * BACKWARD + IMAGES_PER_TUNING_STEP)
    : 0;

const fallbackSearches = ({ targets }: Problem): number => FALLBACK_FAMILIES.length * targets.length;

/** Of one suspect. */
const refiningWork = ({ config }: Problem): number =>
  REFINED_FAMILIES.length * config.innerSteps * SEARCHED * BACKWARD;

function tuningWork(problem: Problem): number {
  const { shots, config } = problem;
  const steps = config.epochs * stepsPerEpoch(problem);
  if (config.mode === "PUBLISHED") return steps * rowsPerBatch(problem) * config.innerSteps * BACKWARD;
  return (
    shots.length * config.views * (1 + MOST_TRIGGERS * config.dummyLevels) + steps * IMAGES_PER_TUNING_STEP
  );
}

const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
