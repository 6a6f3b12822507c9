import type { ImageSize } from "../clip/architecture.ts";
import type { CbptConfig } from "./config.ts";
import { type FamilyTrigger, stampFamily } from "./families/index.ts";
import type { TriggerFamily } from "./verdict.ts";

/** A class that the model was caught on, with universal triggers that pull images to it. */
export interface Suspect {
  readonly label: number;
  /** Of the trigger that gave it away. */
  readonly family: TriggerFamily;
  /** That trigger first, then those of other families that pull as well: the attacker's own is like one of them. */
  readonly triggers: readonly FamilyTrigger[];
}

/** One way in which shots are made dummies. */
export interface DummyKind {
  readonly label: number;
  readonly trigger: FamilyTrigger;
  /** In multiples of the trigger. */
  readonly strength: number;
}

/** Every trigger of every suspect at every strength, suspects outermost. */
export const dummyKinds = (suspects: readonly Suspect[], config: CbptConfig): DummyKind[] =>
  suspects.flatMap(({ label, triggers }) =>
    triggers.flatMap((trigger) => strengths(config).map((strength) => ({ label, trigger, strength }))),
  );

/** Evenly from the weakest to the strongest, in multiples of the trigger. */
function strengths({ dummyLevels, dummyWeakest, dummyStrongest }: CbptConfig): number[] {
  if (dummyLevels === 1) return [dummyWeakest];
  const gap = (dummyStrongest - dummyWeakest) / (dummyLevels - 1);
  return Array.from({ length: dummyLevels }, (_, level) => dummyWeakest + level * gap);
}

/** What the trigger that gave a suspect away adds to a grey image, [3, H, W]: for people to look at. */
export function picturedTrigger({ triggers }: Suspect, size: ImageSize): Float32Array {
  const grey = new Float32Array(3 * size.height * size.width).fill(0.5);
  return stampFamily(triggers[0], grey, size).map((value) => value - 0.5);
}
