import { AppError } from "../../errors.ts";
import { requireShots } from "../cbpt/prepare.ts";
import { completeParameters, type Parameters, type ValuesOf } from "../parameters.ts";
import { cbptPublished } from "./cbpt-published.ts";
import { cbptUniversal } from "./cbpt-universal.ts";
import { cleanclip } from "./cleanclip.ts";
import { coop } from "./coop.ts";
import type { Defence, DefenceRun, DefenceSize, DefenceTask, PlannedRun } from "./defence.ts";
import { ft } from "./ft.ts";
import { none } from "./none.ts";
import { par } from "./par.ts";

export type {
  Defence,
  DefenceResult,
  DefenceRun,
  DefenceSize,
  DefenceTask,
  PlannedRun,
} from "./defence.ts";

/** Every defence by its name. A new one is its file, its line here and its row in the table of the tests. */
export const defences = {
  none,
  coop,
  ft,
  cleanclip,
  par,
  "cbpt-published": cbptPublished,
  "cbpt-universal": cbptUniversal,
} as const;

export type DefenceName = keyof typeof defences;

export const DEFENCE_NAMES = Object.keys(defences) as DefenceName[];

/** Fails with NOT_FOUND when there is no defence of that name. */
export function defenceNamed(name: string): Defence {
  if (Object.hasOwn(defences, name)) return defences[name as DefenceName] as unknown as Defence;
  throw new AppError("NOT_FOUND", `There is no defence "${name}". Known: ${DEFENCE_NAMES.join(", ")}.`, {
    name,
  });
}

/** The given values over the defence's defaults. Fails with VALIDATION_FAILED that lists every problem at once. */
export function completeDefence(name: string, given: unknown): ValuesOf<Parameters> {
  const defence = defenceNamed(name);
  const parameters = completeParameters(`the defence "${name}"`, defence.parameters, given);
  defence.check?.(parameters);
  return parameters;
}

/**
 * Opens a run of a defence on a task. Drive it with
 *
 *     let state = await run.init();
 *     while (!run.isDone(state)) state = await run.step(state);
 *     const result = await run.result(state);
 *
 * and close it. Fails with NOT_FOUND for an unknown name, VALIDATION_FAILED for parameters or shots that do not do, and
 * UNSUPPORTED_ARCHITECTURE where weights are to change that cannot be written.
 */
export async function openDefence(
  name: string,
  { parameters, ...task }: DefenceTask & { readonly parameters?: unknown },
): Promise<DefenceRun> {
  const complete = completeDefence(name, parameters);
  requireShots(task.labels, task.shots);
  return defenceNamed(name).open(task, complete);
}

/**
 * What a run of a defence would do, and how to measure its speed here. Fails as `openDefence` does, but for shots, which
 * nobody has looked at; and with VALIDATION_FAILED where there is nothing to plan.
 */
export async function planDefence(
  name: string,
  { parameters, ...size }: DefenceSize & { readonly parameters?: unknown },
): Promise<PlannedRun> {
  const complete = completeDefence(name, parameters);
  const { plan } = defenceNamed(name);
  if (plan) return plan(size, complete);
  throw new AppError("VALIDATION_FAILED", `The defence "${name}" does nothing that could be planned.`);
}
