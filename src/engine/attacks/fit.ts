import type { Checkpoint } from "../clip/checkpoint.ts";
import type { Parameters, ValuesOf } from "../parameters.ts";
import type { SessionOptions } from "../runtime/session.ts";
import type { PairSource } from "../training/pairs.ts";
import type { FittedTrigger } from "./fitted.ts";

/** What an attacker has who looks for a trigger before poisoning: a clean model, pairs, and a class to bring about. */
export interface FitProblem {
  /** The model as it is before the backdoor is implanted. */
  readonly checkpoint: Checkpoint;
  readonly source: PairSource;
  /** Places in the source of the pairs that show the target. */
  readonly targets: readonly number[];
  /** Sentences about the target that poisoned images will bear, before the trigger's own words. */
  readonly captions: readonly string[];
}

/** What a fit goes on from; plain data, to which each attack adds its own. */
export interface FitState {
  /** Steps that were made. */
  readonly step: number;
  /** Of the last step. */
  readonly losses: readonly { readonly name: string; readonly value: number }[];
}

/** A fit that was opened: its programs are compiled, its images are encoded. */
export interface Fitting<State extends FitState = FitState> {
  readonly steps: number;
  /** Images that a step looks at. */
  readonly images: number;
  init(): State;
  /** One more step; the same state gives the same next state, bit for bit. */
  step(state: State): Promise<State>;
  finish(state: State): FittedTrigger;
  close(): Promise<void>;
}

/** How an attack finds its trigger. */
export interface Fit<Table extends Parameters = Parameters> {
  /** What can be set about it, each with its default and range. */
  readonly defaults: Table;
  /** Compiles what the steps need. `trigger` are the values of the attack's own parameters. */
  readonly open: (
    problem: FitProblem,
    options: { readonly fit: ValuesOf<Table>; readonly trigger: Readonly<Record<string, unknown>> },
    session: SessionOptions,
  ) => Promise<Fitting>;
}

/** Fits a trigger from beginning to end; `onStep` is told where it stands. */
export async function runFit(
  fitting: Fitting,
  onStep: (state: FitState) => void = () => {},
): Promise<FittedTrigger> {
  let state = fitting.init();
  while (state.step < fitting.steps) {
    state = await fitting.step(state);
    onStep(state);
  }
  return fitting.finish(state);
}
