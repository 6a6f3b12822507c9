import { dot, gatherRows, predictions, row } from "./features.ts";
import {
  type GratingSearch,
  gratingFindings,
  gratingsOf,
  gratingTrigger,
  startGratings,
  stepGratings,
} from "./gratings.ts";
import { imageValues, type Problem, shortSide } from "./problem.ts";
import { sampleOthers } from "./sampling.ts";
import { stamp } from "./trigger.ts";
import {
  type Refinement,
  startUniversal,
  stepRefinement,
  stepUniversal,
  type Universal,
} from "./universal.ts";
import { type Finding, suspectsAmong, type TriggerFamily } from "./verdict.ts";
import type { Workbench } from "./workbench.ts";

/** A class that the model was caught on, with the universal trigger that pulls images to it, [3, H, W]. */
export interface Suspect {
  readonly label: number;
  readonly family: TriggerFamily;
  readonly trigger: Float32Array;
}

/**
 * Where an audit stands. It inverts one dense trigger per target in a ball that grows until a class stands out, counts
 * how many shots each pulls over, tries the gratings, refines the triggers of the suspects, and is done.
 */
export type Audit =
  | { readonly stage: "invert"; readonly round: number; readonly universal: Universal }
  | {
      readonly stage: "count";
      readonly round: number;
      readonly universal: Universal;
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
      readonly stage: "refine";
      readonly findings: readonly Finding[];
      readonly suspects: readonly Suspect[];
      /** Index of the suspect that is being refined, and the round and the state it is in. */
      readonly index: number;
      readonly round: number;
      readonly radius: number;
      readonly refinement: Refinement;
    }
  | { readonly stage: "done"; readonly findings: readonly Finding[]; readonly suspects: readonly Suspect[] };

/**
 * Radii of the rounds, in units of a thirty-second of the image's side: L2 norm 2 at 64 pixels is one unit. At two
 * units noise pulls a clean model's images too (0.87 to one class, next 0.70), so the search ends before.
 */
const RADII = [1, 1.5] as const;
/** Most shots of other classes on which a trigger's pull is counted. */
export const COUNTED = 128;

export const startAudit = (problem: Problem): Audit => ({
  stage: "invert",
  round: 0,
  universal: startUniversal(problem),
});

/** One step: of every dense trigger, of counting one class, of a few gratings, or of refining one trigger. */
export async function stepAudit(bench: Workbench, audit: Audit): Promise<Audit> {
  switch (audit.stage) {
    case "invert":
      return invert(bench, audit);
    case "count":
      return countNext(bench, audit);
    case "gratings":
      return tryGratings(bench, audit);
    case "refine":
      return refine(bench, audit);
    case "done":
      return audit;
  }
}

/** The radii of the rounds: the one that was asked for, or those that are tried until a class stands out. */
export const radiiOf = (problem: Pick<Problem, "config" | "imageSize">): readonly number[] =>
  problem.config.radius > 0 ? [problem.config.radius] : RADII.map((unit) => (unit * shortSide(problem)) / 32);

async function invert(bench: Workbench, audit: Audit & { stage: "invert" }): Promise<Audit> {
  const { round } = audit;
  const universal = await stepUniversal(bench, audit.universal, radiiOf(bench.problem)[round]!);
  const finished = universal.step >= (round + 1) * bench.problem.config.innerSteps;
  return finished ? { stage: "count", round, universal, dense: [] } : { stage: "invert", round, universal };
}

async function countNext(bench: Workbench, audit: Audit & { stage: "count" }): Promise<Audit> {
  const { problem } = bench;
  const { round, universal } = audit;
  const label = problem.targets[audit.dense.length];
  const dense = [...audit.dense, await findingOf(bench, label, denseTrigger(problem, universal, label))];
  if (dense.length < problem.targets.length) return { ...audit, dense };
  const last = round + 1 === radiiOf(problem).length;
  if (!last && suspectsAmong(dense).length === 0) return { stage: "invert", round: round + 1, universal };
  return { stage: "gratings", dense, round, universal, search: startGratings(problem) };
}

async function tryGratings(bench: Workbench, audit: Audit & { stage: "gratings" }): Promise<Audit> {
  const { problem } = bench;
  const all = gratingsOf(problem);
  const search = await stepGratings(bench, audit.search);
  if (search.next < all.length) return { ...audit, search };
  const gratings = all.length > 0 ? gratingFindings(search) : [];
  const findings = [...audit.dense, ...gratings];
  const triggerOf = ({ label, family }: Finding): Float32Array =>
    family === "dense"
      ? denseTrigger(problem, audit.universal, label).slice()
      : gratingTrigger(all[search.best[label]], problem.imageSize);
  const suspects = suspectsAmong(findings).map(
    (finding): Suspect => ({ label: finding.label, family: finding.family, trigger: triggerOf(finding) }),
  );
  return startRefining(findings, suspects, 0, radiiOf(problem)[audit.round]);
}

/** Multiples of the radius at which a suspect was found: its trigger grows until it pulls nearly every shot. */
const REFINING_RADII = [1.5, 2] as const;
const PULLS_ENOUGH = 0.95;

/** Goes on to the next dense suspect; gratings are what they are. */
function startRefining(
  findings: readonly Finding[],
  suspects: readonly Suspect[],
  from: number,
  radius: number,
): Audit {
  const index = suspects.findIndex(({ family }, place) => place >= from && family === "dense");
  if (index < 0) return { stage: "done", findings, suspects };
  const { trigger } = suspects[index];
  const refinement = { step: 0, trigger, velocity: new Float32Array(trigger.length), loss: 0 };
  return { stage: "refine", findings, suspects, index, round: 0, radius, refinement };
}

async function refine(bench: Workbench, audit: Audit & { stage: "refine" }): Promise<Audit> {
  const { findings, suspects, index, round, radius } = audit;
  const { label } = suspects[index];
  const refinement = await stepRefinement(bench, label, audit.refinement, radius * REFINING_RADII[round]);
  const { innerSteps } = bench.problem.config;
  if (refinement.step < (round + 1) * innerSteps) return { ...audit, refinement };
  const { pulled } = await findingOf(bench, label, refinement.trigger);
  if (pulled.k < PULLS_ENOUGH * pulled.n && round + 1 < REFINING_RADII.length)
    return { ...audit, round: round + 1, refinement };
  const refined = suspects.map((suspect, place) =>
    place === index ? { ...suspect, trigger: refinement.trigger } : suspect,
  );
  return startRefining(findings, refined, index + 1, radius);
}

/** What a dense trigger does to shots of other classes, as the undefended model sees them. */
async function findingOf(bench: Workbench, label: number, trigger: Float32Array): Promise<Finding> {
  const { problem } = bench;
  const { shots, features, matrix, width } = problem;
  const others = sampleOthers(problem, label, COUNTED);
  const triggered = await bench.encode(others.map((index) => stamp(shots[index].pixels, trigger)));
  const hits = predictions(triggered, matrix, width).filter((predicted) => predicted === label);
  const own = shots.flatMap((shot, index) => (shot.label === label ? [index] : []));
  const text = row(matrix, width, label);
  const attraction =
    meanSimilarity(triggered, text, width) / meanSimilarity(gatherRows(features, width, own), text, width);
  return { label, family: "dense", pulled: { k: hits.length, n: others.length }, attraction };
}

/** Mean cosine of normalised rows [n, D] with a normalised text feature. */
function meanSimilarity(rows: Float32Array, text: Float32Array, width: number): number {
  const count = rows.length / width;
  return (
    Array.from({ length: count }, (_, index) => dot(row(rows, width, index), text)).reduce(
      (a, b) => a + b,
      0,
    ) / count
  );
}

function denseTrigger(problem: Problem, { triggers }: Universal, label: number): Float32Array {
  const size = imageValues(problem);
  const place = problem.targets.indexOf(label);
  return triggers.subarray(place * size, (place + 1) * size);
}
