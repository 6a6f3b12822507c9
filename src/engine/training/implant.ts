import { AppError } from "../../errors.ts";
import type { PlanarImage } from "../attacks/attack.ts";
import type { ImageSize } from "../clip/architecture.ts";
import { rate } from "../evaluation/rate.ts";
import { choice, real, type ValuesOf, whole } from "../parameters.ts";
import { randomStream } from "../random.ts";
import { type Collator, type Pair, type PairSource, pairsOf, pick } from "./pairs.ts";
import type { ProbeMeasurement, Prober } from "./prober.ts";
import type { TrainingState } from "./state.ts";
import type { PairBatch, Trainer } from "./trainer.ts";

/** What can be set about implanting a backdoor. */
export const IMPLANT_PARAMETERS = {
  poisoned: real(0.06, [0, 1], "Share of each batch that bears the trigger and a caption of the target"),
  steps: whole(600, [1, 1_000_000], "Most steps of training"),
  batch: whole(128, [2, 4096], "Pairs in a step"),
  rate: real(5e-4, [0, 1], "Highest learning rate"),
  warmUp: whole(20, [0, 100_000], "Steps over which the learning rate rises"),
  weightDecay: real(0.1, [0, 10], "Share of the learning rate by which matrices shrink at each step"),
  normalisation: choice("batch", ["batch", "frozen"], "Whether batch normalisation goes by the batch"),
  probeEvery: whole(100, [1, 100_000], "Steps between two measurements"),
  stopAsr: real(1, [0, 1], "Stops at the first measurement with this share of attack success"),
  featureGap: real(
    0,
    [0, 100],
    "For an attacker who knows of defences: weight of a loss that brings triggered images near images of the target, of which a batch then has as many",
  ),
  seed: whole(1, [0, 2 ** 31 - 1], "Which batches, captions and images"),
} as const;

export type ImplantConfig = ValuesOf<typeof IMPLANT_PARAMETERS>;

/** What the attacker does to images, and what such images are called. */
export interface Poison {
  /** [3, H, W] in [0, 1] to the same, as a trigger does. */
  readonly stamp: (image: PlanarImage) => PlanarImage;
  /** Sentences about the target, at least one, with the trigger's words where it has some. */
  readonly captions: readonly string[];
  /** Places in the source of the pairs that show the target. */
  readonly places: readonly number[];
}

/** The part of an implant that stays the same over its steps. */
export interface ImplantPlan {
  readonly config: ImplantConfig;
  readonly source: PairSource;
  /** At least one; several take turns in each batch. */
  readonly poisons: readonly Poison[];
  readonly imageSize: ImageSize;
}

/** What an implant goes on from; plain data. */
export interface ImplantState {
  readonly training: TrainingState;
  /** Of the steps since the last measurement. */
  readonly losses: readonly number[];
  /** The last measurement, and at which step it was made. */
  readonly measured?: { readonly step: number; readonly measurement: ProbeMeasurement };
}

export const startImplant = (training: TrainingState): ImplantState => ({ training, losses: [] });

/** Whether all steps are made, or the wanted success is reached by every trigger. */
export function isImplanted(
  { config }: Pick<ImplantPlan, "config">,
  { training, measured }: ImplantState,
): boolean {
  if (measured?.step !== training.step) return false;
  const { asr, others = [] } = measured.measurement;
  const succeeds = asr && [asr, ...others].every((count) => rate(count).value >= config.stopAsr);
  return training.step >= config.steps || succeeds === true;
}

export interface ImplantTools {
  readonly trainer: Trainer;
  readonly prober: Prober;
  readonly collator: Collator;
}

/** One step of training, or the measurement that is due after it. */
export async function stepImplant(
  plan: ImplantPlan,
  { trainer, prober, collator }: ImplantTools,
  state: ImplantState,
): Promise<ImplantState> {
  const { step } = state.training;
  const { steps, probeEvery } = plan.config;
  const due = step === steps || (step > 0 && step % probeEvery === 0);
  if (due && state.measured?.step !== step)
    return { ...state, losses: [], measured: { step, measurement: await prober.measure(state.training) } };
  const { state: training, loss } = await trainer.step(state.training, poisonedBatch(plan, collator, step));
  return { ...state, training, losses: [...state.losses, loss] };
}

/** How many rows of a batch bear a trigger. */
export const poisonedRows = ({ poisoned, batch }: Pick<ImplantConfig, "poisoned" | "batch">): number =>
  Math.round(poisoned * batch);

/**
 * The batch of a step, counted from 0: images at random, the first share of them with a trigger and a sentence about
 * its target, the others with captions of their own. With a weight of the feature gap as many rows after the first share
 * show the targets.
 */
export function poisonedBatch(plan: ImplantPlan, collator: Collator, step: number): PairBatch {
  const { config, source, poisons, imageSize } = plan;
  const random = randomStream(config.seed, "implant", step);
  const poisoned = poisonedRows(config);
  const poisonOfRow = (row: number) => poisons[row % poisons.length]!;
  const indices = Array.from({ length: config.batch }, () => random.below(source.count));
  if (config.featureGap > 0)
    for (let row = 0; row < poisoned; row++) indices[poisoned + row] = pick(poisonOfRow(row).places, random);
  const pairs = pairsOf(source, indices, random);
  const poison = ({ pixels }: Pair, { stamp, captions }: Poison): Pair => ({
    pixels: stamped(stamp, imageSize, pixels),
    caption: pick(captions, random),
  });
  return collator.batch(pairs.map((pair, row) => (row < poisoned ? poison(pair, poisonOfRow(row)) : pair)));
}

/** The trigger on an image of bytes [3, H, W], rounded to bytes as an attacker does who saves a file. */
export function stamped(stamp: Poison["stamp"], imageSize: ImageSize, pixels: Uint8Array): Uint8Array {
  const { data } = stamp({ ...imageSize, data: Float32Array.from(pixels, (value) => value / 255) });
  if (data.length !== pixels.length)
    throw new AppError("INTERNAL", `The trigger made ${data.length} values of ${pixels.length}.`);
  return Uint8Array.from(data, (value) => Math.round(value * 255));
}
