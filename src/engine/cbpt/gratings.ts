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
/** How many shots the best gratings are tried on. */
const GRATING_SHOTS = 40;

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

/**
 * The search through all gratings, forward only: SIG is large but simple, and dense noise does not find it. In the heat
 * each is tried on a few shots, in the final the best of every class on all. Plain data.
 */
export interface GratingSearch {
  /** [G, C]: how many of the first shots each grating pulled to each class; zeros where it was not tried yet. */
  readonly heat: Int32Array;
  /** How many were tried in the heat. */
  readonly next: number;
  /** Numbers of the gratings in the final, once the heat is over. */
  readonly finalists?: readonly number[];
  /** How many of them are done. */
  readonly finished: number;
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
    heat: new Int32Array(gratingsOf({ config }).length * labels.length),
    next: 0,
    finished: 0,
    best: new Int32Array(labels.length),
    pulled: new Int32Array(labels.length),
    tried: Int32Array.from(
      labels,
      (_, label) => sample.filter((index) => shots[index]!.label !== label).length,
    ),
  };
};

/** Shots on which a grating is tried in the heat: the attacker's own pulls nearly every image. */
const HEAT_SHOTS = 10;
/** Gratings in the final: of twenty classes, three of each. */
const FINALISTS = 60;
/** Gratings that are tried in one step of the heat, and of the final: as many images in either. */
const PER_STEP = { heat: 24, final: 6 };

export interface GratingsSize {
  /** Steps of a search in all; without gratings there is still one, which says so. */
  readonly steps: number;
  /** Images that are tried in all, and most in one step. */
  readonly images: number;
  readonly imagesPerStep: number;
}

export function gratingsSize({
  config,
  shots,
}: Pick<Problem, "config"> & { readonly shots: { readonly length: number } }): GratingsSize {
  const gratings = gratingsOf({ config }).length;
  const finalists = Math.min(FINALISTS, gratings);
  const [some, all] = [HEAT_SHOTS, GRATING_SHOTS].map((count) => Math.min(count, shots.length));
  return {
    steps: Math.max(1, Math.ceil(gratings / PER_STEP.heat) + Math.ceil(finalists / PER_STEP.final)),
    images: gratings * some + finalists * all,
    imagesPerStep: Math.max(PER_STEP.heat * some, PER_STEP.final * all),
  };
}

/** Steps that were made. */
export const gratingStepsMade = ({ next, finished }: GratingSearch): number =>
  Math.ceil(next / PER_STEP.heat) + Math.ceil(finished / PER_STEP.final);

export const areGratingsTried = ({ finalists, finished }: GratingSearch): boolean =>
  finished === finalists?.length;

/** Tries the next few gratings. */
export async function stepGratings(bench: Workbench, search: GratingSearch): Promise<GratingSearch> {
  const { problem } = bench;
  const all = gratingsOf(problem);
  const classes = problem.labels.length;
  if (search.finalists === undefined) {
    const tried = all.slice(search.next, search.next + PER_STEP.heat);
    const counts = await pullsOf(bench, tried, HEAT_SHOTS);
    const heat = search.heat.slice();
    for (const [index, pulled] of counts.entries()) heat.set(pulled, (search.next + index) * classes);
    const next = search.next + tried.length;
    if (next < all.length) return { ...search, heat, next };
    return { ...search, heat: new Int32Array(0), next, finalists: finalistsOf(heat, classes) };
  }
  const numbers = search.finalists.slice(search.finished, search.finished + PER_STEP.final);
  const counts = await pullsOf(
    bench,
    numbers.map((number) => all[number]),
    GRATING_SHOTS,
  );
  return counts.reduce((state, pulled, index) => noteGrating(state, numbers[index], pulled), search);
}

/**
 * Numbers of the gratings in the final: in turns of the classes, those that are pulled to most first, the grating that
 * pulls most to the class; then the second of each class, and so on. `heat` is as in `GratingSearch`.
 */
export function finalistsOf(heat: Int32Array, classes: number): number[] {
  const gratings = Array.from({ length: heat.length / classes }, (_, number) => number);
  const pulled = (number: number, label: number) => heat[number * classes + label];
  const ranked = Array.from({ length: classes }, (_, label) =>
    gratings.toSorted((a, b) => pulled(b, label) - pulled(a, label) || a - b),
  );
  const first = (label: number) => pulled(ranked[label][0], label);
  const order = Array.from(ranked.keys()).sort((a, b) => first(b) - first(a) || a - b);
  const chosen = new Set<number>();
  for (let rank = 0; rank < gratings.length; rank++)
    for (const label of order) if (chosen.size < FINALISTS) chosen.add(ranked[label][rank]);
  return [...chosen];
}

/** For each grating [C]: how many of the first so many shots, of other classes, it pulls to each class. */
async function pullsOf(bench: Workbench, gratings: readonly Grating[], shots: number): Promise<Int32Array[]> {
  const sample = (await sampleOf(bench)).slice(0, shots);
  return Promise.all(gratings.map((grating) => pullOf(bench, grating, sample)));
}

async function pullOf(bench: Workbench, grating: Grating, sample: readonly Shot[]): Promise<Int32Array> {
  const { problem } = bench;
  const { matrix, width } = problem;
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
    ...search,
    finished: search.finished + 1,
    best: search.best.map((old, label) => (better(label) ? number : old)),
    pulled: search.pulled.map((old, label) => (better(label) ? counts[label] : old)),
  };
}

/** What the best grating of each of the classes does. */
export const gratingFindings = ({ pulled, tried }: GratingSearch, targets: readonly number[]): Finding[] =>
  targets.map((label) => ({ label, family: "grating", pulled: { k: pulled[label], n: tried[label] } }));

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
