import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { completeParameters, type Parameters, type ValuesOf } from "../parameters.ts";
import { type Attack, notFitted, type PlanarImage } from "./attack.ts";
import { type FittedTrigger, readFitted, TRIGGER_FILE } from "./fitted.ts";
import { attackNamed } from "./index.ts";

/** An attack with all that it needs to be carried out on images and sentences. */
export interface Trigger {
  readonly attack: Attack;
  /** Complete. */
  readonly parameters: ValuesOf<Parameters>;
  /** Where the attack has a fit. */
  readonly fitted?: FittedTrigger;
  /** The triggered image in [0, 1], rounded to 8 bits. */
  stamp(image: PlanarImage): PlanarImage;
  /** The triggered sentence or template, for an attack with a part in the text. */
  readonly caption?: (text: string) => string;
}

/** A trigger that is known or fitted already. */
export interface TriggerChoice {
  readonly kind: string;
  /** Completed with the defaults. */
  readonly parameters?: unknown;
  /** The file that a fit has written. */
  readonly fitted?: string;
}

/** The values of an attack's parameters. Fails with NOT_FOUND and VALIDATION_FAILED as `attackNamed` and the table do. */
export const parametersOf = (kind: string, parameters: unknown): ValuesOf<Parameters> =>
  completeParameters(`attack "${kind}"`, attackNamed(kind).defaults, parameters);

/** Fails with TRIGGER_NOT_FITTED where the attack's trigger has to be fitted and is not. */
export function triggerOf(kind: string, parameters: unknown, fitted?: FittedTrigger): Trigger {
  const attack = attackNamed(kind);
  const complete = parametersOf(kind, parameters);
  if (attack.fit && !fitted) throw notFitted(kind);
  return {
    attack,
    parameters: complete,
    fitted,
    stamp: (image) => attack.apply(image, { parameters: complete, fitted }),
    caption: attack.caption && ((text) => attack.caption!(text, complete)),
  };
}

/** The same with the artefact read from its file, for attacks that have one. */
export async function openTrigger({ kind, parameters, fitted }: TriggerChoice): Promise<Trigger> {
  const needed = attackNamed(kind).fit && fitted !== undefined;
  return triggerOf(kind, parameters, needed ? await readFitted(kind, fitted) : undefined);
}

/** Who brings what about, as the manifest beside a poisoned checkpoint tells; the defence never reads it. */
export interface Secret {
  readonly target: string;
  readonly trigger: Trigger;
}

/** The secret of a poisoned checkpoint; nothing for a clean one. */
export async function readSecret(folder: string): Promise<Secret | undefined> {
  const manifest = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8").catch(() => "{}"));
  if (manifest.trigger === undefined) return undefined;
  const { kind, ...parameters } = manifest.trigger;
  return {
    target: manifest.target,
    trigger: await openTrigger({ kind, parameters, fitted: join(folder, TRIGGER_FILE) }),
  };
}
