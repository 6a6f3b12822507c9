import { calibrate } from "../cbpt/calibration.ts";
import { CBPT_PARAMETERS, type CbptConfig } from "../cbpt/config.ts";
import { planPurification } from "../cbpt/plan.ts";
import { prepareProblem, sizeOfRun } from "../cbpt/prepare.ts";
import type { Problem } from "../cbpt/problem.ts";
import { progressOf } from "../cbpt/progress.ts";
import { isPurified, type Purification, startPurification, stepPurification } from "../cbpt/purification.ts";
import { purified } from "../cbpt/purified.ts";
import { Workbench } from "../cbpt/workbench.ts";
import type { DefenceRun, DefenceSize, DefenceTask, DefendedPrompts, PlannedRun } from "./defence.ts";

const { seed: _, ...TABLE } = CBPT_PARAMETERS;

/** What can be set about tuning prompts; the seed is the task's. */
export const TUNING_PARAMETERS = TABLE;

interface PromptTuningOptions {
  readonly sharedContext?: boolean;
}

/** A purification as the run of a defence. With a shared context all classes learn the same vectors. */
export async function openPromptTuning(
  task: DefenceTask,
  config: CbptConfig,
  { sharedContext = false }: PromptTuningOptions = {},
): Promise<DefenceRun<Purification>> {
  const problem = await prepareProblem({ ...task, config, sharedContext });
  const bench = new Workbench(problem);
  return {
    init: async () => startPurification(problem),
    step: (state) => stepPurification(bench, state),
    isDone: (state) => isPurified(problem, state),
    progress: (state) => progressOf(problem, state),
    result: (state) => promptsOf(problem, bench, state as TunePhase),
    close: () => bench.close(),
  };
}

/** What it will do. It tells of no epoch on its way. */
export async function planPromptTuning(
  size: DefenceSize,
  config: CbptConfig,
  { sharedContext = false }: PromptTuningOptions = {},
): Promise<PlannedRun> {
  const run = { ...(await sizeOfRun({ ...size, config, sharedContext })), threads: size.threads };
  return {
    plan: planPurification(run, 0),
    calibrate: (sample, save) => calibrate(run, sample, save, { tells: false }),
  };
}

type TunePhase = Purification & { phase: "tune" };

async function promptsOf(
  { layout, config }: Problem,
  bench: Workbench,
  state: TunePhase,
): Promise<DefendedPrompts> {
  const { findings, suspects } = state;
  const { contexts, features, recovery, suspected, tripwire, probes } = await purified(bench, state);
  return {
    kind: "prompts",
    textFeatures: features,
    contexts: { values: contexts, tokens: layout.contextTokens, width: layout.width },
    position: config.position,
    config,
    probes,
    tripwire,
    ...(recovery ? { recovery } : {}),
    ...(suspected ? { suspected } : {}),
    ...(findings.length > 0 ? { findings, suspects } : {}),
  };
}
