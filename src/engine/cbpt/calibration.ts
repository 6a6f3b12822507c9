import { imagesPerRun } from "../clip/programs.ts";
import { listOf } from "../evaluation/encode.ts";
import { randomStream } from "../random.ts";
import { universalBatch } from "./dummies.ts";
import { joined } from "./features.ts";
import { laneCount } from "./lanes.ts";
import {
  imageFlops,
  perImageFlops,
  type RunSize,
  tuningFlops,
  universalFlops,
  type WorkKind,
} from "./plan.ts";
import { probe } from "./probe.ts";
import type { Problem, Shot } from "./problem.ts";
import { classesPerRun, RUNS_AT_ONCE } from "./prompt-tower.ts";
import { encodeState } from "./state.ts";
import { rowsPerBatch, startTuning, stepTuning } from "./tuning.ts";
import { startUniversal, stepUniversal, TRIGGERS_PER_RUN } from "./universal.ts";
import { Workbench } from "./workbench.ts";

/** How fast a device does a run's work. */
export interface Speed {
  /** Floating-point operations a second of each kind of work, with everything that goes on around it. */
  readonly rates: Readonly<Record<WorkKind, number>>;
  /**
   * What the end of a tuning epoch that is told of takes beside its prompts' features: to probe them and to save the
   * state. Of a run that tells of none: to save.
   */
  readonly epochSeconds: number;
}

export type CalibratedSize = RunSize & { readonly threads: number };

/** A first measurement that took this long is not repeated, although it compiles too. */
const LONG_SECONDS = 30;
/** Measurements are repeated until they took so long together. */
const ENOUGH_SECONDS = 0.5;

/**
 * Measures how fast this device does a run's work: a few steps of the very programs that the run will use, on sample
 * images. Embeddings and text features are random; what they hold does not change how long a step takes.
 *
 * @param save what a run saves its state with.
 * @param tells whether the run tells how the prompts of its epochs do.
 */
export async function calibrate(
  size: CalibratedSize,
  sample: readonly Shot[],
  save: (state: Uint8Array) => Promise<void>,
  { tells = true } = {},
): Promise<Speed> {
  const problem = standIn(size, sample);
  const [few, bench] = [new Workbench(withFewTargets(problem, laneCount(size))), new Workbench(problem)];
  try {
    const published = size.config.mode === "PUBLISHED";
    const rates = {
      image: await imageRate(bench, size),
      gradient: await (published ? perImageRate(bench, size) : universalRate(few, size)),
      text: await textRate(bench, size),
    };
    return { rates, epochSeconds: await epochSeconds(bench, size, save, tells) };
  } finally {
    await Promise.all([few.close(), bench.close()]);
  }
}

/** Larger and larger batches, until they take long enough or are as large as a run's. */
async function imageRate(bench: Workbench, size: CalibratedSize): Promise<number> {
  const { shots } = bench.problem;
  const lanes = Array.from({ length: laneCount(size) }, (_, lane) => lane);
  const encode = (count: number) => () =>
    Promise.all(lanes.map(() => bench.encode(listOf(count, (index) => shots[index % shots.length].pixels))));
  await encode(1)();
  let images = 4;
  let seconds = await secondsOf(encode(images));
  while (seconds < ENOUGH_SECONDS && images < imagesPerRun(bench.problem.checkpoint)) {
    images *= 2;
    seconds = await secondsOf(encode(images));
  }
  return (lanes.length * images * imageFlops(size)) / seconds;
}

async function universalRate(bench: Workbench, size: CalibratedSize): Promise<number> {
  const { targets, config } = bench.problem;
  const state = startUniversal(bench.problem);
  const seconds = await timed(() => stepUniversal(bench, state, 1, bench.problem.targets));
  return (targets.length * config.innerBatch * universalFlops(size)) / seconds;
}

async function perImageRate(bench: Workbench, size: CalibratedSize): Promise<number> {
  const { shots, features, width } = bench.problem;
  const rows = rowsPerBatch(bench.problem);
  const pixels = joined(Array.from({ length: rows }, (_, row) => shots[row].pixels));
  const feature = features.slice(0, rows * width);
  const feeds = { pixels, triggers: new Float32Array(pixels.length), positive: feature, negative: feature };
  return (rows * perImageFlops(size)) / (await timed(() => bench.invertPerImage(feeds)));
}

async function textRate(bench: Workbench, size: CalibratedSize): Promise<number> {
  const tuning = startTuning(bench.problem);
  const step = async () => stepTuning(bench, tuning, await universalBatch(bench, tuning, []));
  const rows = rowsPerBatch(bench.problem);
  return tuningFlops({ ...size, ...bench.problem }, rows) / (await timed(step));
}

/** Probes look at the shots, and in the universal mode at as many dummies for each strength of a trigger. */
async function epochSeconds(
  bench: Workbench,
  size: CalibratedSize,
  save: (state: Uint8Array) => Promise<void>,
  tells: boolean,
): Promise<number> {
  const { problem } = bench;
  const looks = 1 + (problem.config.mode === "PUBLISHED" ? 0 : problem.config.dummyLevels);
  const probing = tells ? await secondsOf(() => probe(bench, { purified: problem.matrix }, [])) : 0;
  const saving = await secondsOf(() => save(encodeState(startTuning(problem))));
  return (looks * probing + saving) * (size.labels.length / problem.labels.length);
}

/** Seconds of one call; the first one also compiles, so others follow unless it took too long. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const first = await secondsOf(work);
  if (first > LONG_SECONDS) return first;
  const all: number[] = [];
  const sum = () => all.reduce((total, seconds) => total + seconds, 0);
  while (sum() < ENOUGH_SECONDS) all.push(await secondsOf(work));
  return sum() / all.length;
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** A problem of the run's size, with as many classes as it takes to see how they are cut into chunks. */
function standIn(size: CalibratedSize, sample: readonly Shot[]): Problem {
  const { checkpoint, config, imageSize, width, device, threads } = size;
  const perRun = classesPerRun(size);
  const together = perRun * laneCount(size);
  const enough = together * Math.ceil((RUNS_AT_ONCE * (perRun + 1)) / together);
  const classes = perRun === size.layout.classes ? perRun : Math.min(size.layout.classes, enough);
  return {
    checkpoint,
    config: { ...config, views: 1 },
    labels: size.labels.slice(0, classes),
    targets: size.labels.slice(0, classes).map((_, label) => label),
    imageSize,
    width,
    shots: repeated(sample, size.shots.length, classes),
    features: randomRows(size.shots.length, width),
    matrix: randomRows(classes, width),
    layout: firstClasses(size.layout, classes),
    device,
    threads,
  };
}

/** So many that a step keeps every lane busy once. */
function withFewTargets(problem: Problem, lanes: number): Problem {
  return { ...problem, targets: problem.targets.slice(0, TRIGGERS_PER_RUN * lanes) };
}

/** The sample again and again, without a copy, its labels in turn. */
export const repeated = (sample: readonly Shot[], count: number, classes: number): Shot[] =>
  Array.from({ length: count }, (_, index) => ({
    label: index % classes,
    get pixels() {
      return sample[index % sample.length].pixels;
    },
  }));

function firstClasses(layout: Problem["layout"], classes: number): Problem["layout"] {
  const { length, width, contextTokens } = layout;
  return {
    ...layout,
    classes,
    base: layout.base.subarray(0, classes * length * width),
    endOfText: layout.endOfText.subarray(0, classes * length),
    slots: layout.slots.subarray(0, classes * contextTokens),
  };
}

/** Normalised rows [n, D]. */
function randomRows(count: number, width: number): Float32Array {
  const random = randomStream(1, "calibration");
  const rows = new Float32Array(count * width);
  for (let start = 0; start < rows.length; start += width) {
    const row = rows.subarray(start, start + width);
    let power = 0;
    for (let place = 0; place < width; place++) {
      row[place] = random.uniform() - 0.5;
      power += row[place] ** 2;
    }
    const norm = Math.sqrt(power);
    for (let place = 0; place < width; place++) row[place] /= norm;
  }
  return rows;
}
