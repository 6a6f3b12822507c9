import { type ImageList, listOf } from "../evaluation/encode.ts";
import { randomStream } from "../random.ts";
import { stampFamily } from "./families/index.ts";
import { row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { dummyKinds, type Suspect } from "./suspect.ts";
import { drawView } from "./views.ts";
import type { Workbench } from "./workbench.ts";

/** Features that the universal mode tunes on, all computed once: the image encoder is frozen. */
export interface Bank {
  /** For each view, [N, D]; the first view is the shots as they are. */
  readonly clean: readonly Float32Array[];
  /** For each view, the same as each kind of dummy (`dummyKinds`), [N, D] each. */
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
  const { config, imageSize } = bench.problem;
  const features: Float32Array[] = [];
  for (const { trigger, strength } of dummyKinds(suspects, config))
    features.push(
      await bench.encode(
        listOf(images.length, (index) => stampFamily(trigger, images.at(index)!, imageSize, strength)),
      ),
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
