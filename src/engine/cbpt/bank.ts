import { type ImageList, listOf } from "../evaluation/encode.ts";
import { randomStream } from "../random.ts";
import type { Suspect } from "./audit.ts";
import type { CbptConfig } from "./config.ts";
import { row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { stamp } from "./trigger.ts";
import { drawView } from "./views.ts";
import type { Workbench } from "./workbench.ts";

/** Features that the universal mode tunes on, all computed once: the image encoder is frozen. */
export interface Bank {
  /** For each view, [N, D]; the first view is the shots as they are. */
  readonly clean: readonly Float32Array[];
  /** For each view, the same with every suspect's trigger at every strength (suspects outermost), [N, D] each. */
  readonly dummies: readonly (readonly Float32Array[])[];
  /** [C, D]: mean of each class's clean features over all views. */
  readonly means: Float32Array;
}

/** The bank of a run; it follows from the suspects, so it is computed again after a restart and never stored. */
export function bankOf(bench: Workbench, suspects: readonly Suspect[]): Promise<Bank> {
  return bench.remember(suspects, async () => {
    const { problem } = bench;
    const clean: Float32Array[] = [];
    const dummies: Float32Array[][] = [];
    for (let view = 0; view < problem.config.views; view++) {
      const images = viewsOf(problem, view);
      clean.push(view === 0 ? problem.features : await bench.encode(images));
      dummies.push(await dummiesOf(bench, images, suspects));
    }
    return { clean, dummies, means: classMeans(problem, clean) };
  });
}

/** Evenly from the weakest to the strongest, in multiples of the trigger. */
export function strengths({ dummyLevels, dummyWeakest, dummyStrongest }: CbptConfig): number[] {
  if (dummyLevels === 1) return [dummyWeakest];
  const gap = (dummyStrongest - dummyWeakest) / (dummyLevels - 1);
  return Array.from({ length: dummyLevels }, (_, level) => dummyWeakest + level * gap);
}

function viewsOf({ shots, config, imageSize }: Problem, view: number): ImageList {
  if (view === 0) return listOf(shots.length, (index) => shots[index].pixels);
  const random = randomStream(config.seed, "views", view);
  return shots.map(({ pixels }) => drawView(pixels, imageSize, random));
}

async function dummiesOf(
  bench: Workbench,
  images: ImageList,
  suspects: readonly Suspect[],
): Promise<Float32Array[]> {
  const features: Float32Array[] = [];
  for (const { trigger } of suspects)
    for (const strength of strengths(bench.problem.config))
      features.push(
        await bench.encode(listOf(images.length, (index) => stamp(images.at(index)!, trigger, strength))),
      );
  return features;
}

function classMeans({ labels, shots, width }: Problem, views: readonly Float32Array[]): Float32Array {
  const means = new Float32Array(labels.length * width);
  const counts = new Float32Array(labels.length);
  for (const features of views)
    shots.forEach(({ label }, index) => {
      const mean = row(means, width, label);
      counts[label]++;
      row(features, width, index).forEach((value, place) => {
        mean[place] += value;
      });
    });
  return means.map((sum, index) => sum / counts[Math.floor(index / width)]);
}
