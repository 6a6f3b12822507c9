import { joined } from "./features.ts";
import { type Probe, probe, probeTuned } from "./probe.ts";
import { contextsByClass } from "./prompts.ts";
import type { Purification } from "./purification.ts";
import type { Suspect } from "./suspect.ts";
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
  /** [C], as in `GuardedText`; absent where nothing was suspected. */
  readonly suspected?: Float32Array;
  /** How suspicious clean images are through these prompts. */
  readonly tripwire: Tripwire;
  /** How the shots themselves fare, through these prompts and through the undefended ones: a first look, not a test. */
  readonly probes: { readonly defended: Probe; readonly undefended: Probe };
}

/** Prompts of other classes that a run has added its last class to. */
export type Base = LearnedText & Pick<Purified, "recovery" | "suspected">;

/** The prompts of a run that is over, calibrated and probed. */
export async function purified(
  bench: Workbench,
  state: Purification & { readonly phase: "tune" },
  base?: Base,
): Promise<Purified> {
  const { matrix, labels } = bench.problem;
  const learned = await learnedText(bench, state.tuning.contexts);
  const tripwire = await calibrateTripwire(bench, learned.features);
  const recovery = await recoveryOf(bench, state, learned, base);
  const suspected = suspectedOf(labels.length, state.suspects, base?.suspected);
  const text = { purified: learned.features, recovery: recovery?.features };
  return {
    ...learned,
    ...(recovery ? { recovery } : {}),
    ...(suspected ? { suspected } : {}),
    tripwire,
    probes: {
      defended: await probeTuned(bench, text, state),
      undefended: await probe(bench, { purified: matrix }, state.suspects),
    },
  };
}

/** Those of a base stay, and the last class's purified prompt stands among them. */
async function recoveryOf(
  bench: Workbench,
  { recovery }: Purification & { readonly phase: "tune" },
  learned: LearnedText,
  base: Base | undefined,
): Promise<LearnedText | undefined> {
  if (base === undefined) return recovery && learnedText(bench, recovery.contexts);
  return base.recovery && withLast(base.recovery, learned);
}

/** The base's prompts and, after them, the last of those that were learned. */
const withLast = (base: LearnedText, learned: LearnedText): LearnedText => ({
  contexts: joined([base.contexts, learned.contexts.subarray(base.contexts.length)]),
  features: joined([base.features, learned.features.subarray(base.features.length)]),
});

/** [C]: a class that was suspected before stays so. */
function suspectedOf(
  classes: number,
  suspects: readonly Pick<Suspect, "label">[],
  before: Float32Array | undefined,
): Float32Array | undefined {
  if (suspects.length === 0 && before === undefined) return undefined;
  const suspected = new Float32Array(classes);
  suspected.set(before ?? []);
  for (const { label } of suspects) suspected[label] = 1;
  return suspected;
}

const learnedText = async (bench: Workbench, contexts: Float32Array): Promise<LearnedText> => ({
  contexts: contextsByClass(bench.problem.layout, contexts),
  features: await bench.textFeatures(contexts),
});
