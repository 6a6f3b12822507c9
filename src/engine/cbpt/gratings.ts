import type { ImageSize } from "../clip/architecture.ts";
import { randomStream } from "../random.ts";
import { nearestClass, row } from "./features.ts";
import type { Problem } from "./problem.ts";
import { draw } from "./sampling.ts";
import { stamp } from "./trigger.ts";
import type { Finding } from "./verdict.ts";
import type { Workbench } from "./workbench.ts";

/** A plane wave over the image, whole cycles per side in each direction. */
export interface Grating {
  readonly across: number;
  readonly down: number;
  /** In turns: 0 is a sine, 0.25 a cosine. */
  readonly phase: number;
}

/** Height of the waves on [0, 1] pixels: the weaker of the two that the literature uses. */
export const GRATING_AMPLITUDE = 40 / 255;
/** How many shots each grating is tried on. */
export const GRATING_SHOTS = 40;

/** Every grating that is tried: the half plane of whole frequencies, each as a sine and as a cosine. */
export const gratingsOf = ({ config }: Pick<Problem, "config">): readonly Grating[] =>
  frequencies(config.gratingCycles).flatMap(([across, down]) =>
    [0, 0.25].map((phase) => ({ across, down, phase })),
  );

/** δ = amplitude · sin 2π(across · column / W + down · row / H + phase) on all channels, [3, H, W]. */
export function gratingTrigger(
  grating: Grating,
  { height, width }: ImageSize,
  amplitude = GRATING_AMPLITUDE,
): Float32Array {
  const { across, down, phase } = grating;
  const plane = Float32Array.from({ length: height * width }, (_, index) => {
    const turns = (across * (index % width)) / width + (down * Math.floor(index / width)) / height + phase;
    return amplitude * Math.sin(2 * Math.PI * turns);
  });
  const trigger = new Float32Array(3 * plane.length);
  for (let channel = 0; channel < 3; channel++) trigger.set(plane, channel * plane.length);
  return trigger;
}

/** The search through all gratings, forward only: SIG is large but simple, and dense noise does not find it. */
export interface GratingSearch {
  readonly next: number;
  /** [C]: for each class, the grating that pulled the largest share of other classes' shots to it. */
  readonly best: Int32Array;
  /** [C]: how many it pulled. */
  readonly pulled: Int32Array;
  /** [C]: of how many. */
  readonly tried: Int32Array;
}

export const startGratings = ({ labels, shots, config }: Problem): GratingSearch => {
  const sample = gratingSample({ shots, config });
  return {
    next: 0,
    best: new Int32Array(labels.length),
    pulled: new Int32Array(labels.length),
    tried: Int32Array.from(
      labels,
      (_, label) => sample.filter((index) => shots[index]!.label !== label).length,
    ),
  };
};

/** Gratings that are tried in one step. */
export const GRATINGS_PER_STEP = 6;

/** Tries the next few gratings on the sample. */
export async function stepGratings(bench: Workbench, search: GratingSearch): Promise<GratingSearch> {
  const last = Math.min(search.next + GRATINGS_PER_STEP, gratingsOf(bench.problem).length);
  const numbers = Array.from({ length: last - search.next }, (_, index) => search.next + index);
  const counts = await Promise.all(numbers.map((number) => pullsOf(bench, number)));
  return numbers.reduce((state, number, index) => noteGrating(state, number, counts[index]), search);
}

/** [C]: how many shots of other classes the grating pulls to each class. */
async function pullsOf(bench: Workbench, number: number): Promise<Int32Array> {
  const { problem } = bench;
  const { shots, matrix, width } = problem;
  const sample = gratingSample(problem);
  const trigger = gratingTrigger(gratingsOf(problem)[number], problem.imageSize);
  const features = await bench.encode(sample.map((index) => stamp(shots[index]!.pixels, trigger)));
  const counts = new Int32Array(problem.labels.length);
  sample.forEach((index, position) => {
    const label = nearestClass(row(features, width, position), matrix);
    if (label !== shots[index]!.label) counts[label] = counts[label]! + 1;
  });
  return counts;
}

function noteGrating(search: GratingSearch, number: number, counts: Int32Array): GratingSearch {
  const better = (label: number) => counts[label] > search.pulled[label];
  return {
    next: number + 1,
    best: search.best.map((old, label) => (better(label) ? number : old)),
    pulled: search.pulled.map((old, label) => (better(label) ? counts[label] : old)),
    tried: search.tried,
  };
}

/** What the best grating of each class does. */
export const gratingFindings = ({ pulled, tried }: GratingSearch): Finding[] =>
  Array.from(pulled, (k, label) => ({ label, family: "grating", pulled: { k, n: tried[label] } }));

function gratingSample({ shots, config }: Pick<Problem, "shots" | "config">): number[] {
  const all = shots.map((_, index) => index);
  return draw(randomStream(config.seed, "gratings"), all, Math.min(GRATING_SHOTS, all.length));
}

/** (across, down) with across, or else down, above 0: the other half plane is the same waves again. */
function frequencies(most: number): [number, number][] {
  const list: [number, number][] = [];
  for (let across = 0; across <= most; across++)
    for (let down = -most; down <= most; down++) if (across > 0 || down > 0) list.push([across, down]);
  return list;
}
