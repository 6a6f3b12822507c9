import { AppError } from "../../errors.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import type { SessionOptions } from "../runtime/session.ts";
import { ADAMW } from "./adamw.ts";
import { featureGapLoss } from "./adaptive.ts";
import {
  type ImplantConfig,
  type ImplantPlan,
  type ImplantTools,
  type Poison,
  poisonedRows,
} from "./implant.ts";
import { Collator } from "./pairs.ts";
import { Prober, type ProbeSet } from "./prober.ts";
import { Trainer } from "./trainer.ts";

/** Compiles what the steps of an implant need; close the trainer and the prober when it is done. */
export async function openImplantTools(
  checkpoint: Checkpoint,
  { config, source, poisons }: ImplantPlan,
  probes: ProbeSet,
  session: SessionOptions,
): Promise<ImplantTools> {
  const collator = new Collator(checkpoint.tokenizer);
  const poisoned = poisons.flatMap(({ captions }) => captions);
  const gapRows = config.featureGap > 0 ? poisonedRows(config) : 0;
  if (gapRows > 0) requireTargets(config, poisons);
  const trainer = await Trainer.open(checkpoint, {
    ...session,
    batch: config.batch,
    length: collator.longest(source, poisoned),
    normalisation: config.normalisation,
    optimiser: { ...ADAMW, weightDecay: config.weightDecay },
    schedule: config,
    ...(gapRows > 0 ? { loss: featureGapLoss(config.featureGap, gapRows) } : {}),
  });
  return { trainer, prober: await Prober.open(checkpoint, trainer.layout, probes, session), collator };
}

/** The feature gap needs images of every target, and room for them in the batch. */
function requireTargets(config: ImplantConfig, poisons: readonly Poison[]): void {
  const problem = poisons.some(({ places }) => places.length === 0)
    ? "a target has no image among those to train on"
    : 2 * poisonedRows(config) > config.batch
      ? "the poisoned share may be at most half"
      : undefined;
  if (problem) throw new AppError("VALIDATION_FAILED", `The feature gap cannot be narrowed: ${problem}.`);
}
