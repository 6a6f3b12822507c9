import { REFINED_FAMILIES } from "../../../src/engine/cbpt/audit.ts";
import { startSearch } from "../../../src/engine/cbpt/search.ts";
import { randomStream } from "../../../src/engine/random.ts";

/** A search in images of 64 × 64 pixels that has just found one suspect, whatever an audit would have said. */
export function suspected() {
  const random = randomStream(9);
  const trigger = Float32Array.from({ length: 3 * 64 * 64 }, () => 0.1 * random.normal());
  const seed = { size: { height: 64, width: 64 }, dense: trigger, radius: 3 };
  const searches = REFINED_FAMILIES.map((family) => startSearch(family, seed));
  const suspects = [{ label: 1, family: "dense" as const, triggers: [searches[0].trigger] }];
  const audit = {
    stage: "refine",
    round: 0,
    findings: [],
    suspects,
    seeds: [trigger],
    index: 0,
    radius: 3,
    searches,
  } as const;
  return { phase: "audit", audit } as const;
}
