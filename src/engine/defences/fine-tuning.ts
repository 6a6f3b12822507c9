import type { Progress } from "../cbpt/progress.ts";
import { choice, real, type ValuesOf, whole } from "../parameters.ts";
import { ADAMW } from "../training/adamw.ts";
import { manifestFile, requireTrainable, trainedFiles } from "../training/checkpoint-files.ts";
import type { StepOptions } from "../training/program.ts";
import { startFromCheckpoint, type TrainingState } from "../training/state.ts";
import { Trainer } from "../training/trainer.ts";
import { type Alter, Batches, captionLength } from "./clean-pairs.ts";
import type { DefenceRun, DefenceSize, DefenceTask, DefendedWeights } from "./defence.ts";
import { suspectEmbeddings } from "./suspect-embeddings.ts";

/** What can be set about every defence that fine-tunes the model on the shots and their captions. */
export const FINE_TUNING_PARAMETERS = {
  epochs: whole(20, [1, 1000], "Passes over the shots"),
  batchSize: whole(64, [2, 4096], "Pairs in a step; all shots where they are fewer"),
  learningRate: real(
    5e-4,
    [1e-8, 1e-1],
    "The highest; falls along a cosine. In the literature from 4.5e-6 to 5e-4, so sweep it",
  ),
  warmupSteps: whole(10, [0, 100_000], "Steps over which the learning rate rises"),
  weightDecay: real(0.1, [0, 10], "Share of the learning rate by which matrices shrink in each step"),
  normalisation: choice("frozen", ["frozen", "batch"], "Whether batch normalisation goes by the batch"),
} as const;

export type FineTuningConfig = ValuesOf<typeof FINE_TUNING_PARAMETERS>;

/** What tells one way to fine-tune from another. */
export interface Recipe {
  /** The defence's name, and its parameters for the manifest. */
  readonly name: string;
  readonly parameters: object;
  /** Of the pairs of a step; by default CLIP's contrastive loss. */
  readonly loss?: StepOptions["loss"];
  /** Makes the altered copy of a pair; where it is given, a step has these copies after the pairs themselves. */
  readonly alter?: Alter;
  /** Whether the loss reads the suspect model's embeddings of the pairs: `suspectImages` and `suspectTexts` [N, D]. */
  readonly recalls?: boolean;
}

/** Plain data; a state's losses are those of its steps so far. */
export interface FineTuning {
  readonly training: TrainingState;
  readonly losses: readonly number[];
}

/** How much a run does, and the program of each of its steps. */
export function extentOf(size: DefenceSize, config: FineTuningConfig, { alter, loss }: Recipe) {
  const batch = Math.min(config.batchSize, size.shots.length);
  const perEpoch = Math.floor(size.shots.length / batch);
  const program: StepOptions = {
    batch: alter ? 2 * batch : batch,
    length: captionLength(size, alter !== undefined),
    normalisation: config.normalisation,
    optimiser: { ...ADAMW, weightDecay: config.weightDecay },
    device: size.device,
    loss,
  };
  return { batch, perEpoch, steps: config.epochs * perEpoch, program };
}

/**
 * Trains all weights on the clean shots, each with a template that names its label. Fails with UNSUPPORTED_ARCHITECTURE
 * for a checkpoint that is not in open_clip's layout.
 */
export async function openFineTuning(
  task: DefenceTask,
  config: FineTuningConfig,
  recipe: Recipe,
): Promise<DefenceRun<FineTuning>> {
  const { checkpoint, device, threads } = task;
  requireTrainable(checkpoint);
  const { batch, perEpoch, steps, program } = extentOf(task, config, recipe);
  const { alter, recalls } = recipe;
  const others = recalls ? await suspectEmbeddings(task) : undefined;
  const batches = new Batches(task, { size: batch, length: program.length, alter, others });
  const schedule = { rate: config.learningRate, steps, warmUp: config.warmupSteps };
  const trainer = await Trainer.open(checkpoint, { ...program, device, threads, schedule });
  return {
    init: async () => ({ training: await startFromCheckpoint(checkpoint, trainer.layout), losses: [] }),
    step: async ({ training, losses }) => {
      const made = await trainer.step(training, batches.of(training.step));
      return { training: made.state, losses: [...losses, made.loss] };
    },
    isDone: ({ training }) => training.step >= steps,
    progress: (state) => progressOf(state, { epochs: config.epochs, perEpoch, batch }),
    result: async ({ training, losses }): Promise<DefendedWeights> => {
      const files = await trainedFiles(checkpoint, trainer.layout, training);
      const facts = factsOf(task, recipe, epochMeans(losses, perEpoch));
      return { kind: "weights", files: [await manifestFile(checkpoint, files, facts), ...files] };
    },
    close: () => trainer.close(),
  };
}

function progressOf(
  { training, losses }: FineTuning,
  { epochs, perEpoch, batch }: { epochs: number; perEpoch: number; batch: number },
): Progress {
  const { step } = training;
  return {
    phase: "fine-tune",
    epoch: Math.min(epochs, Math.floor(step / perEpoch) + 1),
    epochs,
    step: step % perEpoch,
    steps: perEpoch,
    losses: losses.slice(-1).map((value) => ({ name: "loss", value })),
    fraction: step / (epochs * perEpoch),
    images: batch,
  };
}

function epochMeans(losses: readonly number[], perEpoch: number): number[] {
  return Array.from({ length: losses.length / perEpoch }, (_, epoch) => {
    const own = losses.slice(epoch * perEpoch, (epoch + 1) * perEpoch);
    return own.reduce((sum, loss) => sum + loss, 0) / perEpoch;
  });
}

const factsOf = (
  { labels, templates, shots, seed }: DefenceTask,
  { name, parameters }: Recipe,
  losses: readonly number[],
) => ({ defence: name, parameters, seed, labels, templates, shots: shots.length, losses });
