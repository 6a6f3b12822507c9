import type { Shot } from "../cbpt/problem.ts";
import type { Progress } from "../cbpt/progress.ts";
import { fillTemplate } from "../clip/zero-shot.ts";
import { choice, real, type ValuesOf, whole } from "../parameters.ts";
import { type Random, randomStream } from "../random.ts";
import type { Tensors } from "../runtime/session.ts";
import { ADAMW } from "../training/adamw.ts";
import { manifestFile, requireTrainable, trainedFiles } from "../training/checkpoint-files.ts";
import { Collator, epochBatch, type Pair } from "../training/pairs.ts";
import type { StepOptions } from "../training/program.ts";
import { startFromCheckpoint, type TrainingState } from "../training/state.ts";
import { type PairBatch, Trainer } from "../training/trainer.ts";
import type { DefenceRun, DefenceTask, DefendedWeights } from "./defence.ts";

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

/** A clean pair by its indices: of the shot, and of the caption among those of all labels. */
export interface PairIndex {
  readonly shot: number;
  readonly caption: number;
}

/** What tells one way to fine-tune from another. */
export interface Recipe {
  /** The defence's name, and its parameters for the manifest. */
  readonly name: string;
  readonly parameters: object;
  /** Of the pairs of a step; by default CLIP's contrastive loss. */
  readonly loss?: StepOptions["loss"];
  /** An altered copy of a pair; where it is given, a step has the altered pairs after the pairs themselves. */
  readonly alter?: (pair: Pair, random: Random) => Pair;
  /** What the loss reads beside the pairs. */
  readonly others?: (pairs: readonly PairIndex[]) => Tensors;
}

/** Plain data; a state's losses are those of its steps so far. */
export interface FineTuning {
  readonly training: TrainingState;
  readonly losses: readonly number[];
}

/** Room in the trained text length for words that an altered caption has more. */
const SPARE_TOKENS = 4;

/** The captions that the templates make of the labels: those of the first label, then those of the next. */
export const captionsOf = ({ labels, templates }: DefenceTask): string[] =>
  labels.flatMap((label) => templates.map((template) => fillTemplate(template, label)));

/**
 * Trains all weights on the clean shots, each with a template that names its label. Fails with UNSUPPORTED_ARCHITECTURE
 * for a checkpoint that is not in open_clip's layout.
 */
export async function openFineTuning(
  task: DefenceTask,
  config: FineTuningConfig,
  recipe: Recipe,
): Promise<DefenceRun<FineTuning>> {
  const { checkpoint, shots, device, threads } = task;
  requireTrainable(checkpoint);
  const batch = Math.min(config.batchSize, shots.length);
  const perEpoch = Math.floor(shots.length / batch);
  const steps = config.epochs * perEpoch;
  const batches = new Batches(task, batch, recipe);
  const trainer = await Trainer.open(checkpoint, {
    device,
    threads,
    batch: recipe.alter ? 2 * batch : batch,
    length: batches.length,
    normalisation: config.normalisation,
    optimiser: { ...ADAMW, weightDecay: config.weightDecay },
    schedule: { rate: config.learningRate, steps, warmUp: config.warmupSteps },
    loss: recipe.loss,
  });
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

/** The batches of a run; each depends on the seed and the number of its step only. */
class Batches {
  private readonly collator: Collator;
  private readonly captions: readonly string[];
  /** Tokens of the longest caption that is trained on. */
  readonly length: number;

  constructor(
    private readonly task: DefenceTask,
    private readonly size: number,
    private readonly recipe: Recipe,
  ) {
    this.collator = new Collator(task.checkpoint.tokenizer);
    this.captions = captionsOf(task);
    const longest = Math.max(...this.captions.map((caption) => this.collator.tokens(caption).length));
    const { contextLength } = task.checkpoint.architecture.text;
    this.length = recipe.alter ? Math.min(contextLength, longest + SPARE_TOKENS) : longest;
  }

  /** The batch of a step, counted from 0. */
  of(step: number): PairBatch {
    const { seed, shots, templates } = this.task;
    const random = randomStream(seed, "fine-tuning", step);
    const places = epochBatch(shots.length, this.size, seed, step).map((shot) => ({
      shot,
      caption: shots[shot].label * templates.length + random.below(templates.length),
    }));
    const pairs = places.map(
      ({ shot, caption }): Pair => ({ pixels: bytesOf(shots[shot]), caption: this.captions[caption] }),
    );
    const altered = this.recipe.alter ? pairs.map((pair) => this.altered(pair, random)) : [];
    return { ...this.collator.batch([...pairs, ...altered]), others: this.recipe.others?.(places) };
  }

  /** A caption that has become too long stays as it was. */
  private altered(pair: Pair, random: Random): Pair {
    const { pixels, caption } = this.recipe.alter!(pair, random);
    const fits = this.collator.tokens(caption).length <= this.length;
    return { pixels, caption: fits ? caption : pair.caption };
  }
}

const bytesOf = ({ pixels }: Shot): Uint8Array => Uint8Array.from(pixels, (value) => Math.round(value * 255));

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
