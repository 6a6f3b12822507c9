import type { Attack } from "../attacks/attack.ts";
import type { Trigger } from "../attacks/trigger.ts";
import { fillTemplate } from "../clip/zero-shot.ts";
import type { Poison } from "./implant.ts";
import type { PairSource } from "./pairs.ts";

/** The class that a trigger is to bring about, and what is known of it. */
export interface Target {
  readonly name: string;
  /** Places in the source of the pairs that show it. */
  readonly places: readonly number[];
  /** Sentences with {} for a name. */
  readonly templates: readonly string[];
}

/** What images with the trigger of an attack are called, before the trigger's own words: at least one sentence. */
export function targetCaptions(
  { captions = "templates" }: Pick<Attack, "captions">,
  source: PairSource,
  { name, places, templates }: Target,
): string[] {
  const natural = places.flatMap((place) => source.captions(place));
  if (captions === "natural" && natural.length > 0) return [...new Set(natural)];
  return templates.map((template) => fillTemplate(template, name));
}

/** What a trigger makes of the images of a source. */
export const poisonOf = (
  { attack, stamp, caption = (text) => text }: Trigger,
  source: PairSource,
  target: Target,
): Poison => ({
  stamp,
  captions: targetCaptions(attack, source, target).map((text) => caption(text)),
  places: target.places,
});
