import { ablations } from "./ablations.ts";
import { adaptive } from "./adaptive.ts";
import { attacks } from "./attacks.ts";
import { audits } from "./audits.ts";
import { comparison } from "./comparison.ts";
import { explanations } from "./explanations.ts";
import { featureMaps } from "./feature-maps.ts";
import { gallery } from "./gallery.ts";
import { recovery } from "./recovery.ts";
import type { Section } from "./section.ts";
import { shifts } from "./shifts.ts";
import { tripwires } from "./tripwires.ts";

/** The document's parts, in its order. A new one is its file and its line here. */
export const SECTIONS: readonly Section[] = [
  attacks,
  audits,
  gallery,
  tripwires,
  recovery,
  comparison,
  adaptive,
  ablations,
  shifts,
  featureMaps,
  explanations,
];
