import { createHash } from "node:crypto";
import { encodeFitted, TRIGGER_FILE } from "../../engine/attacks/fitted.ts";
import type { Trigger } from "../../engine/attacks/trigger.ts";
import type { Checkpoint } from "../../engine/clip/checkpoint.ts";
import type { Count } from "../../engine/evaluation/rate.ts";
import { type CheckpointFile, trainedFiles } from "../../engine/training/checkpoint-files.ts";
import type { ImplantConfig } from "../../engine/training/implant.ts";
import type { Layout } from "../../engine/training/layout.ts";
import type { ProbeMeasurement } from "../../engine/training/prober.ts";
import type { TrainingState } from "../../engine/training/state.ts";

/** A poisoned model, and all that was done to make it. */
export interface Implanted {
  readonly name: string;
  readonly checkpoint: Checkpoint;
  readonly layout: Layout;
  readonly training: TrainingState;
  readonly config: ImplantConfig;
  readonly target: string;
  readonly trigger: Trigger;
  /** Further triggers that were implanted with it. */
  readonly others?: readonly { readonly trigger: Trigger; readonly target: string; readonly asr?: Count }[];
  readonly measurement: ProbeMeasurement;
}

/**
 * The files of a poisoned checkpoint, the weights last: with them the fitted trigger, if there is one, and, for people
 * and tests, a manifest of what was done and measured.
 */
export async function implantFiles(implanted: Implanted): Promise<CheckpointFile[]> {
  const { checkpoint, layout, training, trigger } = implanted;
  const files = await trainedFiles(checkpoint, layout, training);
  const fitted = trigger.fitted
    ? [{ name: TRIGGER_FILE, bytes: encodeFitted(trigger.attack.name, trigger.fitted) }]
    : [];
  const manifest = await manifestOf(implanted, files.at(-1)!, fitted[0]);
  const bytes = new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`);
  return [{ name: "manifest.json", bytes }, ...fitted, ...files];
}

async function manifestOf(
  { name, checkpoint, training, config, target, trigger, others = [], measurement }: Implanted,
  weights: CheckpointFile,
  fitted: CheckpointFile | undefined,
) {
  const { attack, parameters } = trigger;
  return {
    name,
    seed: config.seed,
    rate: config.poisoned,
    steps: training.step,
    target,
    trigger: { kind: attack.name, ...parameters },
    ...(others.length > 0 ? { others: others.map(described) } : {}),
    ...(fitted ? { fitted: { file: fitted.name, digest: digestOf(fitted) } } : {}),
    config,
    base: `sha256:${await checkpoint.weightsDigest()}`,
    weights: digestOf(weights),
    protocol: measurement.protocol,
    ca: measurement.ca,
    asr: measurement.asr,
    asrWithoutWord: measurement.asrWithoutWord,
    asrOfWordAlone: measurement.asrOfWordAlone,
    floor: measurement.cleanFloor,
  };
}

const described = ({ trigger, ...facts }: NonNullable<Implanted["others"]>[number]) => ({
  trigger: { kind: trigger.attack.name, ...trigger.parameters },
  ...facts,
});

const digestOf = ({ bytes }: CheckpointFile): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
