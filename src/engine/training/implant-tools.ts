import type { Checkpoint } from "../clip/checkpoint.ts";
import type { SessionOptions } from "../runtime/session.ts";
import { ADAMW } from "./adamw.ts";
import type { ImplantPlan, ImplantTools } from "./implant.ts";
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
  const trainer = await Trainer.open(checkpoint, {
    ...session,
    batch: config.batch,
    length: collator.longest(source, poisoned),
    normalisation: config.normalisation,
    optimiser: { ...ADAMW, weightDecay: config.weightDecay },
    schedule: config,
  });
  return { trainer, prober: await Prober.open(checkpoint, trainer.layout, probes, session), collator };
}
