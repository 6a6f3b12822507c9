import type { Speed } from "../cbpt/calibration.ts";
import type { CbptConfig, Position } from "../cbpt/config.ts";
import type { RunPlan } from "../cbpt/plan.ts";
import type { Probe } from "../cbpt/probe.ts";
import type { Shot } from "../cbpt/problem.ts";
import type { Progress } from "../cbpt/progress.ts";
import type { LearnedText } from "../cbpt/purified.ts";
import type { Suspect } from "../cbpt/suspect.ts";
import type { Tripwire } from "../cbpt/tripwire.ts";
import type { Finding } from "../cbpt/verdict.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import type { Parameters, ValuesOf } from "../parameters.ts";
import type { Device } from "../runtime/device.ts";
import type { CheckpointFile } from "../training/checkpoint-files.ts";

/**
 * All that a defence is given: a suspect model and clean labelled shots. It has no place for a target or a trigger,
 * because a defender knows neither.
 */
export interface DefenceTask {
  readonly checkpoint: Checkpoint;
  /** At least two, each with a shot. */
  readonly labels: readonly string[];
  /** Sentences with {} for a label: the undefended prompts, and the captions to fine-tune with. */
  readonly templates: readonly string[];
  readonly shots: readonly Shot[];
  /** Of everything random. */
  readonly seed: number;
  readonly device: Device;
  readonly threads: number;
}

/** A task whose shots are not read yet: what a plan follows from. */
export interface DefenceSize extends Omit<DefenceTask, "shots"> {
  readonly shots: { readonly length: number };
}

/** Prompts that are to be used with the model as it is. */
export interface DefendedPrompts {
  readonly kind: "prompts";
  /** [C, D]: the normalised text features to classify with. */
  readonly textFeatures: Float32Array;
  /** The learned context vectors, [C, M, d]; M = 0 where nothing was learned. */
  readonly contexts: { readonly values: Float32Array; readonly tokens: number; readonly width: number };
  readonly position: Position;
  /** What the prompts were tuned with, where they were. */
  readonly config?: CbptConfig;
  /** How far each class pulls images to itself, where the defence has looked. */
  readonly findings?: readonly Finding[];
  /** How the shots themselves fare, through these prompts and through the undefended ones: a first look, not a test. */
  readonly probes?: { readonly defended: Probe; readonly undefended: Probe };
  /** How suspicious clean images are through the learned prompts. */
  readonly tripwire?: Tripwire;
  /** What answers where these prompts and the undefended ones disagree, where the defence has learned it. */
  readonly recovery?: LearnedText;
  /** [C]: 1 for the classes among `suspects`, 0 for others; absent where there are none. */
  readonly suspected?: Float32Array;
  /** The classes that it took for a backdoor's, with the triggers that it found for them. */
  readonly suspects?: readonly Suspect[];
}

/** A new checkpoint in open_clip's layout, with a `manifest.json` that tells what was done. */
export interface DefendedWeights {
  readonly kind: "weights";
  readonly files: readonly CheckpointFile[];
}

export type DefenceResult = DefendedPrompts | DefendedWeights;

/**
 * A defence at work on one task. States are plain data (`encodeState` of ../cbpt/state.ts makes bytes of them): from
 * the same state every run of the task goes on to the same result, bit for bit.
 */
export interface DefenceRun<State = unknown> {
  init(): Promise<State>;
  /** The state after one step more; leaves the given one as it is. */
  step(state: State): Promise<State>;
  isDone(state: State): boolean;
  /** Where the state stands and, after its first step, the losses of the last one. */
  progress(state: State): Progress;
  /** Of a state that is done. */
  result(state: State): Promise<DefenceResult>;
  close(): Promise<void>;
}

/** What a run will do, before it is begun. */
export interface PlannedRun {
  readonly plan: RunPlan;
  /**
   * Measures how fast this device does it: a few steps of the run's own programs on sample shots.
   *
   * @param save what the run saves its state with.
   */
  calibrate(sample: readonly Shot[], save: (state: Uint8Array) => Promise<void>): Promise<Speed>;
}

/** One way to defend: what it is called, what can be set, and how it runs. */
export interface Defence<Table extends Parameters = Parameters, State = unknown> {
  readonly name: string;
  /** Authors, year and identifier of the paper that describes it; none for the absence of a defence. */
  readonly paper?: string;
  /** What it does, in a sentence. */
  readonly about: string;
  /** Prompts for the model as it is, or a model with other weights. */
  readonly makes: DefenceResult["kind"];
  /** What can be set, each with its default and range. */
  readonly parameters: Table;
  /** Fails with VALIDATION_FAILED where parameters that are each in range do not go together. */
  check?(parameters: ValuesOf<Table>): void;
  /** Compiles what the steps need; parameters are complete. Close the run when it is over. */
  open(task: DefenceTask, parameters: ValuesOf<Table>): Promise<DefenceRun<State>>;
  /** Plans the same run and compiles nothing. Absent where there is nothing to do. */
  plan?(size: DefenceSize, parameters: ValuesOf<Table>): Promise<PlannedRun>;
}

/** Lets the types of a defence's parameters follow from their table. */
export const defineDefence = <const Table extends Parameters, State>(
  defence: Defence<Table, State>,
): Defence<Table, State> => defence;
