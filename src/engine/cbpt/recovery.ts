import type { CbptConfig } from "./config.ts";
import { universalBatch } from "./dummies.ts";
import type { Problem } from "./problem.ts";
import type { Suspect } from "./suspect.ts";
import { startTuning, stepTuning, type Tuning } from "./tuning.ts";
import type { Workbench } from "./workbench.ts";

/** Whether a run learns recovery prompts (`GuardedText`): without a suspect there is nothing to recover from. */
export const recovers = ({ config }: Pick<Problem, "config">, suspects: readonly Suspect[]): boolean =>
  config.recovery > 0 && suspects.length > 0;

/**
 * One step of learning them: that of the purified prompts, on the same dummies, but with a dummy's own class weighing
 * much more than clean images, which other prompts answer.
 */
export async function stepRecovery(
  bench: Workbench,
  before: Tuning | undefined,
  suspects: readonly Suspect[],
): Promise<Tuning> {
  const tuning = before ?? startTuning(bench.problem);
  const batch = await universalBatch(bench, tuning, suspects, recoveryConfig(bench.problem.config));
  return stepTuning(bench, tuning, batch);
}

/**
 * What they answer was pulled to the suspect by a trigger. With the same margin they gave images back that the purified
 * prompts had saved: on 1,910 triggered scenes of the bundled suspect ASR rose from 0.73 to 0.89 %.
 */
const MARGIN_FACTOR = 2;

const recoveryConfig = (config: CbptConfig): CbptConfig => ({
  ...config,
  gammaDummy: config.recovery,
  margin: MARGIN_FACTOR * config.margin,
});
