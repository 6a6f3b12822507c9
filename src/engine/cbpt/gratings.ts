import type { ImageSize } from "../clip/architecture.ts";
import { listOf } from "../evaluation/encode.ts";
import { randomStream } from "../random.ts";
import { predictions } from "./features.ts";
import type { Problem, Shot } from "./problem.ts";
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
  const count = height * width;
  const trigger = new Float32Array(3 * count);
  for (let index = 0; index < count; index++) {
    const turns = (across * (index % width)) / width + (down * Math.floor(index / width)) / height + phase;
    trigger[index] = amplitude * Math.sin(2 * Math.PI * turns);
  }
  for (let channel = 1; channel < 3; channel++) trigger.copyWithin(channel * count, 0, count);
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
  const next = gratingsOf(bench.problem).slice(search.next, search.next + GRATINGS_PER_STEP);
  const counts = await Promise.all(next.map((grating) => pullsOf(bench, grating)));
  return counts.reduce((state, pulled) => noteGrating(state, state.next, pulled), search);
}

/** [C]: how many shots of other classes the grating pulls to each class. */
async function pullsOf(bench: Workbench, grating: Grating): Promise<Int32Array> {
  const { problem } = bench;
  const { matrix, width } = problem;
  const sample = await sampleOf(bench);
  const trigger = gratingTrigger(grating, problem.imageSize);
  const stamped = new Float32Array(trigger.length);
  const images = listOf(sample.length, (index) => stamp(sample[index].pixels, trigger, 1, stamped));
  const predicted = predictions(await bench.encode(images), matrix, width);
  const counts = new Int32Array(problem.labels.length);
  predicted.forEach((label, index) => {
    if (label !== sample[index].label) counts[label]++;
  });
  return counts;
}

/** The shots that gratings are tried on, whose pixels are made once for all of them. */
const sampleOf = (bench: Workbench): Promise<readonly Shot[]> =>
  bench.remember(gratingSample, async () =>
    gratingSample(bench.problem).map((index) => {
      const { label, pixels } = bench.problem.shots[index];
      return { label, pixels };
    }),
  );

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
