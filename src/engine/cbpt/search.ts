import { randomStream } from "../random.ts";
import { concurrently } from "../runtime/concurrently.ts";
import { FAMILIES, type FamilyName, type FamilyTrigger, type Seed } from "./families/index.ts";
import { joined, sumOfRows } from "./features.ts";
import { imageValues, type Problem } from "./problem.ts";
import { draw, othersOf } from "./sampling.ts";
import type { Workbench } from "./workbench.ts";

/** The search for one trigger of one family that pulls to one class, on its way. */
export interface Search {
  readonly step: number;
  readonly trigger: FamilyTrigger;
  readonly velocity: Float32Array;
  /** CE toward the class at the last step. */
  readonly loss: number;
}

/** Images in one run: what fits the processor's caches. */
export const IMAGES_PER_RUN = 8;
/** Runs in one step, side by side. */
export const RUNS_PER_STEP = 2;

export function startSearch(family: FamilyName, seed: Seed): Search {
  const trigger = FAMILIES[family].start(seed);
  return { step: 0, trigger, velocity: new Float32Array(trigger.values.length), loss: 0 };
}

/** Runs whose images are in memory at the same time: enough that none waits for the pixels of the next. */
const RUNS_AT_ONCE = 4;

/**
 * One step of searches that pull to one class, each by itself: minimises CE(s·f(stamp(x))·Tᵀ, c) over shots of other
 * classes, drawn anew. As in a universal inversion, the step is the gradient over its own norm, with momentum, in units
 * of the family's reach.
 */
export async function stepSearches(
  bench: Workbench,
  label: number,
  searches: readonly Search[],
  radius: number,
): Promise<Search[]> {
  const runs = searches.flatMap((search) =>
    Array.from({ length: RUNS_PER_STEP }, (_, run) => ({ search, run })),
  );
  const slopes = await concurrently(runs, RUNS_AT_ONCE, ({ search, run }) =>
    slopeOf(bench, label, search, run),
  );
  return searches.map((search, index) =>
    moved(bench.problem, search, slopes.slice(index * RUNS_PER_STEP, (index + 1) * RUNS_PER_STEP), radius),
  );
}

/** The mean loss of a run's images and the summed gradient by the trigger's values. */
interface Slope {
  readonly slope: Float32Array;
  readonly loss: number;
}

function moved(
  { config, imageSize: size }: Problem,
  { step, trigger, velocity }: Search,
  runs: readonly Slope[],
  radius: number,
): Search {
  const family = FAMILIES[trigger.family];
  const slope = sumOfRows(joined(runs.map((run) => run.slope)), trigger.values.length);
  const length = Math.sqrt(slope.reduce((sum, value) => sum + value * value, 0));
  const next = velocity.map(
    (old, index) => config.innerMomentum * old + (length > 0 ? slope[index] / length : 0),
  );
  const reach = STEP * family.reach({ size, radius });
  const values = family.project(
    trigger.values.map((value, index) => value - reach * next[index]),
    { size, radius },
  );
  return {
    step: step + 1,
    trigger: { ...trigger, values },
    velocity: next,
    loss: runs.reduce((sum, run) => sum + run.loss, 0) / runs.length,
  };
}

/** Length of a step in units of the family's reach, as the default `stepSize` is for dense triggers. */
const STEP = 0.1;

async function slopeOf(
  bench: Workbench,
  label: number,
  { step, trigger }: Search,
  run: number,
): Promise<Slope> {
  const { problem } = bench;
  const { imageSize: size } = problem;
  const family = FAMILIES[trigger.family];
  const images = drawImages(problem, label, trigger.family, step, run);
  const stamped = joined(images.map((pixels) => family.stamp(trigger, pixels, size)));
  const { losses, gradient } = await bench.pull(stamped, label);
  const values = imageValues(problem);
  const slope = new Float32Array(trigger.values.length);
  images.forEach((pixels, index) => {
    const own = gradient.subarray(index * values, (index + 1) * values);
    const pulled = family.pullBack(trigger, pixels, own, size);
    for (let place = 0; place < slope.length; place++) slope[place] += pulled[place];
  });
  return { slope, loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length };
}

function drawImages(
  problem: Problem,
  label: number,
  family: FamilyName,
  step: number,
  run: number,
): Float32Array[] {
  const random = randomStream(problem.config.seed, "search", family, label, step, run);
  return draw(random, othersOf(problem, label), IMAGES_PER_RUN).map((index) => problem.shots[index].pixels);
}
