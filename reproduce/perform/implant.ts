import { join } from "node:path";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";
import { requireTrainable, trainedFiles } from "../../src/engine/training/checkpoint-files.ts";
import {
  type ImplantPlan,
  type ImplantState,
  stamped,
  startImplant,
  stepImplant,
} from "../../src/engine/training/implant.ts";
import { openImplantTools } from "../../src/engine/training/implant-tools.ts";
import { poisonOf } from "../../src/engine/training/poison.ts";
import { startFromCheckpoint } from "../../src/engine/training/state.ts";
import { writeDurably } from "../../src/store/durable-file.ts";
import { ZERO_SHOT_TEMPLATES } from "../../zoo/scenes/captions.ts";
import { OBJECTS } from "../../zoo/scenes/objects.ts";
import { SCENE_SIDE } from "../../zoo/scenes/scene.ts";
import { probeImages } from "../../zoo/scenes/training-run.ts";
import { openTrigger, scenesOf, trainingData } from "./attacker.ts";
import { MODEL_FOLDER, modelFolder, type Performer } from "./context.ts";

/** Of the zoo's own test set. */
const PROBE_SEED = 2;

const imageSize = { height: SCENE_SIDE, width: SCENE_SIDE };

/** Attackers make all their steps here: one who is content with the first success is no measure of a defence. */
const isDone = ({ config }: ImplantPlan, { training, measured }: ImplantState): boolean =>
  training.step >= config.steps && measured?.step === training.step;

/** Implants a backdoor as `zoo:poison` does, and writes an open_clip folder. */
export const implant: Performer<"implant"> = async (cell, context) => {
  const { secret, also = [], config, scenes, probes: probed } = cell.input;
  const checkpoint = await openCheckpoint(modelFolder(cell, context.archive));
  requireTrainable(checkpoint);
  const { source, targetOf } = await trainingData(scenes, context);
  const triggers = await Promise.all(
    [secret, ...also].map(({ trigger }) => openTrigger(cell, trigger, context.archive)),
  );
  const poisons = [secret, ...also].map((one, index) => poisonOf(triggers[index], source, targetOf(one)));
  const plan: ImplantPlan = { config, source, poisons, imageSize };
  const [{ stamp, caption }] = triggers;
  const probes = {
    labels: OBJECTS,
    templates: ZERO_SHOT_TEMPLATES,
    images: probeImages(await scenesOf({ count: probed, seed: PROBE_SEED }, context), undefined, (pixels) =>
      stamped(stamp, imageSize, pixels),
    ),
    caption,
    target: (OBJECTS as readonly string[]).indexOf(secret.target),
  };
  const session = { device: "cpu", threads: context.threads } as const;
  const tools = await openImplantTools(checkpoint, plan, probes, session);
  try {
    let state: ImplantState = startImplant(await startFromCheckpoint(checkpoint, tools.trainer.layout));
    while (!isDone(plan, state)) {
      state = await stepImplant(plan, tools, state);
      context.report(state.training.step / config.steps);
    }
    for (const { name, bytes } of await trainedFiles(checkpoint, tools.trainer.layout, state.training))
      await writeDurably(join(context.folder, MODEL_FOLDER, name), bytes);
    const { measurement } = state.measured as NonNullable<ImplantState["measured"]>;
    return { steps: state.training.step, measurement };
  } finally {
    await Promise.all([tools.trainer.close(), tools.prober.close()]);
  }
};
