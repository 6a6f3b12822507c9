import { join } from "node:path";
import { runFit } from "../../src/engine/attacks/fit.ts";
import { encodeFitted, TRIGGER_FILE } from "../../src/engine/attacks/fitted.ts";
import { attackNamed } from "../../src/engine/attacks/index.ts";
import { parametersOf } from "../../src/engine/attacks/trigger.ts";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { defaultsOf } from "../../src/engine/parameters.ts";
import { targetCaptions } from "../../src/engine/training/poison.ts";
import { writeDurably } from "../../src/store/durable-file.ts";
import { trainingData } from "./attacker.ts";
import { modelFolder, type Performer } from "./context.ts";

/** Fits a trigger on the clean model, with the attack's own defaults. */
export const fit: Performer<"fit"> = async (cell, context) => {
  const { secret, scenes } = cell.input;
  const { kind, ...given } = secret.trigger;
  const attack = attackNamed(kind);
  if (attack.fit === undefined) throw new Error(`The trigger of ${kind} is not fitted.`);
  const { source, targetOf } = await trainingData(scenes, context);
  const target = targetOf(secret);
  const problem = {
    checkpoint: await openCheckpoint(modelFolder(cell, context.archive)),
    source,
    targets: target.places,
    captions: targetCaptions(attack, source, target),
  };
  const choice = { fit: defaultsOf(attack.fit.defaults), trigger: parametersOf(kind, given) };
  const fitting = await attack.fit.open(problem, choice, { device: "cpu", threads: context.threads });
  try {
    const fitted = await runFit(fitting, ({ step }) => context.report(step / fitting.steps));
    await writeDurably(join(context.folder, TRIGGER_FILE), encodeFitted(kind, fitted));
    return { steps: fitting.steps };
  } finally {
    await fitting.close();
  }
};
