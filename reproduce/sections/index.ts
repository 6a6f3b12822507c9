import { attacks } from "./attacks.ts";
import { audits } from "./audits.ts";
import type { Section } from "./section.ts";

/** The document's parts, in its order. A new one is its file and its line here. */
export const SECTIONS: readonly Section[] = [attacks, audits];
