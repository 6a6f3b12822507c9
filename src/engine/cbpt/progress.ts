import { type Audit, COUNTED, radiiOf } from "./audit.ts";
import { GRATING_SHOTS, GRATINGS } from "./gratings.ts";
import { LOSSES } from "./objective.ts";
import type { Problem } from "./problem.ts";
import type { Purification } from "./purification.ts";
import { isWarmingUp, stepsPerEpoch, type Tuning } from "./tuning.ts";

/** Where a run stands, for those who watch it. */
export interface Progress {
  /** What is being done: `invert`, `count`, `gratings`, `warm up` or `tune`. */
  readonly phase: string;
  /** Tuning counts epochs from 1; before it, the rounds of the audit are counted. */
  readonly epoch: number;
  readonly epochs: number;
  readonly step: number;
  readonly steps: number;
  readonly losses: readonly { readonly name: string; readonly value: number }[];
  /** 0 to 1: work done of the work that there may be at most. */
  readonly fraction: number;
  /** Images that one step of this phase looks at. */
  readonly images: number;
}

/** A forward and a backward pass take about as long as three forward passes. */
const BACKWARD = 3;

export function progressOf(problem: Problem, state: Purification): Progress {
  return state.phase === "audit"
    ? auditProgress(problem, state.audit, tuningWork(problem))
    : tuningProgress(problem, state.tuning);
}

/** The same for an audit alone; `after` is the work that follows it. */
export function auditProgress(problem: Problem, audit: Audit, after = 0): Progress {
  const rounds = radiiOf(problem).length;
  const [invert, count] = [inversionWork(problem), countingWork(problem)];
  const gratings = GRATINGS.length * GRATING_SHOTS;
  const total = rounds * (invert + count) + gratings + after;
  const { innerSteps, innerBatch } = problem.config;
  const classes = problem.labels.length;
  const at = { epochs: rounds, losses: [] };
  switch (audit.stage) {
    case "invert": {
      const step = audit.universal.step - audit.round * innerSteps;
      const done = audit.round * (invert + count) + (invert * step) / innerSteps;
      const losses = [{ name: "inversion", value: mean(audit.universal.losses) }];
      const place = { phase: "invert", epoch: audit.round + 1, step, steps: innerSteps, losses };
      return { ...at, ...place, fraction: done / total, images: classes * innerBatch };
    }
    case "count": {
      const step = audit.pulled.length;
      const done = audit.round * (invert + count) + invert + (count * step) / classes;
      const place = { phase: "count", epoch: audit.round + 1, step, steps: classes };
      return { ...at, ...place, fraction: done / total, images: count / classes };
    }
    case "gratings": {
      const step = audit.search.next;
      const done = rounds * (invert + count) + step * GRATING_SHOTS;
      const place = { phase: "gratings", epoch: rounds, step, steps: GRATINGS.length };
      return { ...at, ...place, fraction: done / total, images: GRATING_SHOTS };
    }
    case "done":
      return {
        ...at,
        phase: "audited",
        epoch: rounds,
        step: 1,
        steps: 1,
        fraction: 1 - after / total,
        images: 0,
      };
  }
}

function tuningProgress(problem: Problem, tuning: Tuning): Progress {
  const { epochs, mode, batchSize } = problem.config;
  const steps = stepsPerEpoch(problem);
  const before =
    mode === "PUBLISHED" ? 0 : 1 - tuningWork(problem) / (auditWork(problem) + tuningWork(problem));
  const done = (tuning.epoch * steps + tuning.batch) / (epochs * steps);
  return {
    phase: isWarmingUp(problem, tuning) ? "warm up" : "tune",
    epoch: Math.min(tuning.epoch + 1, epochs),
    epochs,
    step: tuning.batch,
    steps,
    losses: LOSSES.map((name, index) => ({ name, value: tuning.losses[index] })),
    fraction: before + (1 - before) * done,
    images: Math.min(batchSize, problem.shots.length),
  };
}

const auditWork = (problem: Problem): number =>
  radiiOf(problem).length * (inversionWork(problem) + countingWork(problem)) +
  GRATINGS.length * GRATING_SHOTS;

const inversionWork = ({ config, labels }: Problem): number =>
  config.innerSteps * config.innerBatch * labels.length * BACKWARD;

const countingWork = ({ labels, shots }: Problem): number => labels.length * Math.min(COUNTED, shots.length);

/** Tuning runs the text tower only; one of its steps takes about as long as this many images. */
const IMAGES_PER_TUNING_STEP = 20;

const tuningWork = (problem: Problem): number =>
  problem.shots.length * problem.config.dummyLevels +
  problem.config.epochs * stepsPerEpoch(problem) * IMAGES_PER_TUNING_STEP;

const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
