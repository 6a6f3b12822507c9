import type { Count } from "../evaluation/rate.ts";
import { type Audit, startAudit, stepAudit } from "./audit.ts";
import { cleanBatch, universalBatch } from "./dummies.ts";
import { gatherRows, nearestClass, row } from "./features.ts";
import { invertPerImage } from "./inversion.ts";
import type { Problem } from "./problem.ts";
import { recovers, stepRecovery } from "./recovery.ts";
import type { Suspect } from "./suspect.ts";
import { batchRows, isWarmingUp, lossWeights, startTuning, stepTuning, type Tuning } from "./tuning.ts";
import type { Finding } from "./verdict.ts";
import type { TuningBatch, Workbench } from "./workbench.ts";

/**
 * Where a purification stands, as plain data. The universal mode audits, then tunes on cached features, first the
 * purified prompts and then the recovery ones; the published mode tunes at once, with an inner inversion in every step.
 */
export type Purification =
  | { readonly phase: "audit"; readonly audit: Audit }
  | {
      readonly phase: "tune";
      /** The last round of the audit, from 0. */
      readonly round: number;
      readonly findings: readonly Finding[];
      readonly suspects: readonly Suspect[];
      readonly tuning: Tuning;
      /** The recovery prompts, which are learned last (`recovers`). */
      readonly recovery?: Tuning;
      /** Published mode: of this epoch's dummies, how many the prompts gave to their simulated class. */
      readonly pulled: Count;
    };

export function startPurification(problem: Problem): Purification {
  if (problem.config.mode === "UNIVERSAL") return { phase: "audit", audit: startAudit(problem) };
  return startTune(problem, { round: 0, findings: [], suspects: [] });
}

export function isPurified(problem: Problem, state: Purification): boolean {
  if (state.phase === "audit" || !isTuned(problem, state.tuning)) return false;
  return !recovers(problem, state.suspects) || isTuned(problem, state.recovery);
}

const isTuned = ({ config }: Problem, tuning: Tuning | undefined): boolean =>
  tuning !== undefined && tuning.epoch >= config.epochs;

/** One step; the same state gives the same next state, bit for bit, on the same machine with the same threads. */
export async function stepPurification(bench: Workbench, state: Purification): Promise<Purification> {
  if (state.phase === "audit") {
    const audit = await stepAudit(bench, state.audit);
    if (audit.stage !== "done") return { phase: "audit", audit };
    return startTune(bench.problem, audit);
  }
  return bench.problem.config.mode === "UNIVERSAL"
    ? tuneUniversal(bench, state)
    : tunePublished(bench, state);
}

type TunePhase = Purification & { phase: "tune" };

const startTune = (
  problem: Problem,
  { round, findings, suspects }: Pick<TunePhase, "round" | "findings" | "suspects">,
): TunePhase => ({
  phase: "tune",
  round,
  findings,
  suspects,
  tuning: startTuning(problem),
  pulled: { k: 0, n: 0 },
});

async function tuneUniversal(bench: Workbench, state: TunePhase): Promise<TunePhase> {
  if (isTuned(bench.problem, state.tuning))
    return { ...state, recovery: await stepRecovery(bench, state.recovery, state.suspects) };
  const batch = await universalBatch(bench, state.tuning, state.suspects);
  return { ...state, tuning: await stepTuning(bench, state.tuning, batch) };
}

async function tunePublished(bench: Workbench, state: TunePhase): Promise<TunePhase> {
  const { problem } = bench;
  const { tuning } = state;
  const { features, shots, width, config } = problem;
  const indices = batchRows(problem, tuning).map(({ shot }) => shot);
  const clean = gatherRows(features, width, indices);
  const labels = indices.map((index) => shots[index]!.label);
  if (isWarmingUp(problem, tuning))
    return { ...state, tuning: await stepTuning(bench, tuning, cleanBatch(problem, clean, labels)) };
  const text = await bench.textFeatures(tuning.contexts);
  const { simulated, features: dummy } = await invertPerImage(bench, indices, text, tuning);
  const batch: TuningBatch = {
    ...cleanBatch(problem, clean, labels),
    dummy,
    suspects: simulated,
    weights: lossWeights(config),
  };
  const hits = simulated.filter((label, index) => nearestClass(row(dummy, width, index), text) === label);
  const before = tuning.batch === 0 ? { k: 0, n: 0 } : state.pulled;
  const pulled = { k: before.k + hits.length, n: before.n + simulated.length };
  return { ...state, tuning: await stepTuning(bench, tuning, batch), pulled };
}
