import { type Probe, probe, probeTuned } from "./probe.ts";
import { contextsByClass } from "./prompts.ts";
import type { Purification } from "./purification.ts";
import { calibrateTripwire, type Tripwire } from "./tripwire.ts";
import type { Workbench } from "./workbench.ts";

/** Learned context vectors [C, M, d] and the normalised text features [C, D] that follow from them. */
export interface LearnedText {
  readonly contexts: Float32Array;
  readonly features: Float32Array;
}

/** What a purification has come to. */
export interface Purified extends LearnedText {
  /** Absent where nothing was suspected. */
  readonly recovery?: LearnedText;
  /** How suspicious clean images are through these prompts. */
  readonly tripwire: Tripwire;
  /** How the shots themselves fare, through these prompts and through the undefended ones: a first look, not a test. */
  readonly probes: { readonly defended: Probe; readonly undefended: Probe };
}

/**
 * The prompts of a run that is over, calibrated and probed.
 *
 * @param recoveryOf what goes with the purified prompts, where it is not what the run has learned.
 */
export async function purified(
  bench: Workbench,
  state: Purification & { readonly phase: "tune" },
  recoveryOf: (learned: LearnedText) => Promise<LearnedText | undefined> = async () =>
    state.recovery && learnedText(bench, state.recovery.contexts),
): Promise<Purified> {
  const { matrix } = bench.problem;
  const learned = await learnedText(bench, state.tuning.contexts);
  const tripwire = await calibrateTripwire(bench, learned.features);
  const recovery = await recoveryOf(learned);
  const text = { purified: learned.features, recovery: recovery?.features };
  return {
    ...learned,
    ...(recovery ? { recovery } : {}),
    tripwire,
    probes: {
      defended: await probeTuned(bench, text, state),
      undefended: await probe(bench, { purified: matrix }, state.suspects),
    },
  };
}

const learnedText = async (bench: Workbench, contexts: Float32Array): Promise<LearnedText> => ({
  contexts: contextsByClass(bench.problem.layout, contexts),
  features: await bench.textFeatures(contexts),
});
