import { isEffective, leastSuccess, type Measurement } from "../../src/engine/evaluation/protocol.ts";
import type { Cell, CellKind, CellKinds, DefenceResult, Measured } from "../cell.ts";
import { type DefenceChoice, defendCell, measureCell } from "../cells.ts";
import type { Lab } from "../lab.ts";
import type { Suspect } from "../suspects.ts";
import type { Results } from "./section.ts";

/** What a defence came to on one model, beside the model undefended. */
export interface Outcome {
  readonly suspect: Suspect;
  readonly before: Measured;
  readonly after: Measured;
  readonly defence: DefenceResult;
  /** Whether the undefended attack works well enough for this to mean anything. */
  readonly counts: boolean;
}

/** Every finished one of a defence. */
export function outcomesOf(
  lab: Lab,
  results: Results,
  choice: DefenceChoice,
  suspects: readonly Suspect[] = lab.suspects,
): Outcome[] {
  return suspects.flatMap((suspect) => {
    const before = results.get(measureCell(lab, suspect, { defence: "none" }));
    const after = results.get(measureCell(lab, suspect, choice));
    const defence = results.get(defendCell(lab, suspect, choice));
    if (!before || !after || !defence) return [];
    return [{ suspect, before, after, defence, counts: counts(suspect, before) }];
  });
}

/** The finished results of one kind of cell, for every suspect whose attack counts. */
export function resultsOf<Kind extends CellKind>(
  lab: Lab,
  results: Results,
  cellOf: (suspect: Suspect) => Cell<Kind>,
): { readonly suspect: Suspect; readonly result: CellKinds[Kind]["result"] }[] {
  return lab.suspects.flatMap((suspect) => {
    const before = results.get(measureCell(lab, suspect, { defence: "none" }));
    const result = results.get(cellOf(suspect));
    return result && before && counts(suspect, before) ? [{ suspect, result }] : [];
  });
}

/** Whether an experiment counts by the protocol; one without an attack does. */
export const counts = ({ secret }: Suspect, { asr }: Measurement): boolean =>
  secret === undefined || (asr !== undefined && isEffective(secret.trigger.kind, asr));

/** Why an experiment does not count. */
export const shortfall = ({ secret }: Suspect): string =>
  `does not count: undefended ASR below ${100 * leastSuccess(secret?.trigger.kind ?? "")} %`;

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
