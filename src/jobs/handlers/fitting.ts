import type { FitProblem, FitState } from "../../engine/attacks/fit.ts";
import { type FittedTrigger, readFitted } from "../../engine/attacks/fitted.ts";
import { attackNamed } from "../../engine/attacks/index.ts";
import { parametersOf } from "../../engine/attacks/trigger.ts";
import { completeParameters } from "../../engine/parameters.ts";
import type { SessionOptions } from "../../engine/runtime/session.ts";
import type { JobContext } from "../job.ts";
import type { Clock, Saver } from "./clock.ts";
import type { ImplantSpec } from "./spec.ts";

interface FitWork {
  readonly problem: FitProblem;
  readonly session: SessionOptions;
  readonly clock: Clock;
  readonly saver: Saver;
  readonly context: JobContext;
  /** Of the whole job, how much the fit is. */
  readonly share: number;
  /** Where an interrupted fit goes on from, and how it is saved. */
  readonly saved: FitState | undefined;
  readonly encode: (state: FitState) => Uint8Array;
}

/** The trigger of an attack that has a fit: the one that is given, or one that is fitted now. */
export async function fitTrigger(
  { attack: { kind, parameters, fitted }, fit: given }: Pick<ImplantSpec, "attack" | "fit">,
  { problem, session, clock, saver, context, share, saved, encode }: FitWork,
): Promise<FittedTrigger | undefined> {
  const { fit } = attackNamed(kind);
  if (!fit) return undefined;
  if (fitted !== undefined) return readFitted(kind, fitted);
  const options = {
    fit: completeParameters(`the fit of attack "${kind}"`, fit.defaults, given),
    trigger: parametersOf(kind, parameters),
  };
  const fitting = await fit.open(problem, options, session);
  try {
    let state = saved ?? fitting.init();
    while (state.step < fitting.steps) {
      context.signal.throwIfAborted();
      state = await fitting.step(state);
      const { step, losses } = state;
      const place = { phase: "fit", epoch: 1, epochs: 1, step, steps: fitting.steps, losses };
      clock.report({ ...place, fraction: (share * step) / fitting.steps, images: fitting.images });
      await saver.save(() => encode(state), step === fitting.steps);
    }
    return fitting.finish(state);
  } finally {
    await fitting.close();
  }
}
