import { gatherRows, joined } from "../src/engine/cbpt/features.ts";
import { contextGradient } from "../src/engine/cbpt/prompts.ts";
import type { TuningBatch, Workbench } from "../src/engine/cbpt/workbench.ts";
import { noise } from "./generator.ts";
import { INPUTS, type TuningInputs } from "./inputs.ts";

/** Losses and the gradient of their weighted sum `total`. */
export interface Step {
  readonly losses: Float32Array;
  readonly total: number;
  readonly gradient: Float32Array;
}

/** Something that class-wise backdoor prompt tuning descends, from where it begins. */
export interface Objective {
  readonly start: Float32Array;
  at(place: Float32Array): Promise<Step>;
}

/** All of it, on one image of each class: both modes' inner and outer steps, as a purification makes them. */
export const OBJECTIVES = {
  publishedInversion,
  universalInversion,
  publishedTuning: (bench: Workbench) => tuning(bench, INPUTS.publishedTuning),
  universalTuning: (bench: Workbench) => tuning(bench, INPUTS.universalTuning),
} as const;

export type ObjectiveName = keyof typeof OBJECTIVES;

function publishedInversion(bench: Workbench): Objective {
  const given = INPUTS.publishedInversion;
  const pixels = pixelsOf(bench, given.images);
  const { features, width } = bench.problem;
  const positive = gatherRows(features, width, given.positives);
  const negative = gatherRows(features, width, given.images);
  return {
    start: noise("triggers/published", pixels.length, given.triggerSize),
    at: async (triggers) => {
      const { loss, gradient } = await bench.invertPerImage({ pixels, triggers, positive, negative });
      return { losses: Float32Array.of(loss), total: loss, gradient };
    },
  };
}

function universalInversion(bench: Workbench): Objective {
  const { images, targets, triggerSize } = INPUTS.universalInversion;
  const pixels = pixelsOf(bench, images.flat());
  const length = bench.problem.shots[0]!.pixels.length * targets.length;
  return {
    start: noise("triggers/universal", length, triggerSize),
    at: async (triggers) => {
      const step = await bench.invertUniversal(pixels.slice(), triggers.slice(), targets);
      return { ...step, total: step.losses.reduce((sum, loss) => sum + loss, 0) };
    },
  };
}

/** An outer step for prompts of generated context vectors. */
export function tuning(bench: Workbench, given: TuningInputs): Objective {
  const { features, width, shots, layout, config } = bench.problem;
  const batch: TuningBatch = {
    ...given,
    clean: features,
    dummy: gatherRows(features, width, INPUTS.dummies),
    labels: shots.map(({ label }) => label),
    targets: Float32Array.from(given.targets.flat()),
    margin: config.margin,
  };
  return {
    start: noise("contexts", layout.slots.length * layout.width, INPUTS.contexts.size),
    at: async (contexts) => {
      const { losses, gradient } = await bench.tune(contexts, batch);
      const total = losses.reduce((sum, loss, index) => sum + given.weights[index]! * loss, 0);
      return { losses: Float32Array.from(losses), total, gradient: contextGradient(layout, gradient) };
    },
  };
}

const pixelsOf = ({ problem }: Workbench, indices: readonly number[]): Float32Array =>
  joined(indices.map((index) => problem.shots[index]!.pixels));
