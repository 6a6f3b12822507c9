import { AppError } from "../../errors.ts";
import type { Attack } from "./attack.ts";
import { badclip } from "./badclip.ts";
import { badnet } from "./badnet.ts";
import { blended } from "./blended.ts";
import { sig } from "./sig.ts";
import { ssba } from "./ssba.ts";
import { trojvqa } from "./trojvqa.ts";
import { wanet } from "./wanet.ts";

export type { Attack, PlanarImage } from "./attack.ts";
export { badclip, badnet, blended, sig, ssba, trojvqa, wanet };

/** Every attack by its name. A new one is its file, its line here and its row in the table of the tests. */
export const attacks = { badnet, blended, sig, ssba, wanet, trojvqa, badclip } as const;

export type AttackKind = keyof typeof attacks;

/** Fails with NOT_FOUND when there is no attack of that name. */
export function attackNamed(name: string): Attack {
  if (Object.hasOwn(attacks, name)) return attacks[name as AttackKind] as unknown as Attack;
  throw new AppError(
    "NOT_FOUND",
    `There is no attack "${name}". Known: ${Object.keys(attacks).join(", ")}.`,
    { name },
  );
}
