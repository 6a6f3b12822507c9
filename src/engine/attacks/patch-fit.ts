import { AppError } from "../../errors.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import { imageProgram, imagesPerRun } from "../clip/programs.ts";
import { embedPrompts } from "../clip/zero-shot.ts";
import { encodeImages, listOf } from "../evaluation/encode.ts";
import { float32 } from "../onnx/tensor.ts";
import { real, type ValuesOf, whole } from "../parameters.ts";
import { type Random, randomStream } from "../random.ts";
import { openSession, type Session, type SessionOptions, type Tensors } from "../runtime/session.ts";
import { ADAMW, stepNumbers } from "../training/adamw.ts";
import { type PairSource, pick } from "../training/pairs.ts";
import type { PlanarImage } from "./attack.ts";
import type { FitProblem, FitState, Fitting } from "./fit.ts";
import { type FittedTrigger, fittedTensor } from "./fitted.ts";
import { type Position, placePatch } from "./patch.ts";
import { type Feature, LOSS, type PatchObjective, patchProgram } from "./patch-program.ts";

/** What can be set about fitting a patch. */
export const PATCH_FIT = {
  size: whole(
    0,
    [0, 224],
    "Side of the patch in pixels; 0 for a fourteenth of the image's, or 8 where that is less and an eighth is as many",
  ),
  steps: whole(600, [1, 100_000], "Steps of Adam"),
  batch: whole(32, [2, 1024], "Images in a step"),
  rate: real(1e-3, [0, 1], "Step size of Adam"),
  images: whole(512, [2, 100_000], "Most images of other classes, and most of the target, to fit on"),
  seed: whole(1, [0, 2 ** 31 - 1], "Which first patch, which images in which order"),
} as const;

type Config = ValuesOf<typeof PATCH_FIT>;

interface PatchState extends FitState {
  /** [3, side, side] in [0, 1] */
  readonly patch: Float32Array;
  /** The moments of its gradient. */
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** The name of the patch in the artefact: [3, side, side]. */
const PATCH = "patch";

/** The image with the fitted patch on it. */
export function stampPatch(image: PlanarImage, fitted: FittedTrigger, position: Position): PlanarImage {
  const { shape, data } = fittedTensor(fitted, PATCH, [3, 0, 0]);
  const [, side] = shape as [number, number, number];
  return placePatch(image, { patch: data, side, position });
}

/** 16 of 224 pixels, as in the literature; 8 of 64, 4 of 32: a fourteenth of a small image shows a model too little. */
export const sideFor = (side: number): number =>
  Math.max(Math.ceil(side / 14), Math.min(8, Math.ceil(side / 8)));

/** A patch optimised on the clean model by Adam, kept in [0, 1]. */
export async function openPatchFit(
  problem: FitProblem,
  { config, position, objective }: { config: Config; position: Position; objective: PatchObjective },
  session: SessionOptions,
): Promise<Fitting<PatchState>> {
  const { checkpoint } = problem;
  const { height, width } = checkpoint.architecture.image.imageSize;
  const side = Math.min(height, width, config.size || sideFor(Math.min(height, width)));
  const pool = await encodePool(problem, config, objective, session);
  const size = { batch: config.batch, side, position };
  const compiled = await openSession(patchProgram(checkpoint, objective, size, session.device), session);
  return new PatchFitting({ problem, config, pool, side }, compiled);
}

/** Encoded rows [n, D]. */
interface Rows {
  readonly count: number;
  readonly values: Float32Array;
}

interface Pool {
  /** Places in the source of the images to put the patch on. */
  readonly others: readonly number[];
  readonly features: Readonly<Partial<Record<Feature, Rows>>>;
}

interface Work {
  readonly problem: FitProblem;
  readonly config: Config;
  readonly pool: Pool;
  readonly side: number;
}

class PatchFitting implements Fitting<PatchState> {
  readonly steps: number;
  readonly images: number;

  constructor(
    private readonly work: Work,
    private readonly session: Session,
  ) {
    this.steps = work.config.steps;
    this.images = work.config.batch;
  }

  init(): PatchState {
    const size = 3 * this.work.side ** 2;
    const random = randomStream(this.work.config.seed, "patch");
    const patch = Float32Array.from({ length: size }, () => clip(0.5 + 0.25 * random.normal()));
    return { step: 0, losses: [], patch, first: new Float32Array(size), second: new Float32Array(size) };
  }

  async step(state: PatchState): Promise<PatchState> {
    const { side, config } = this.work;
    const out = await this.session.run({
      ...this.batch(randomStream(config.seed, "patch", state.step)),
      patch: float32([3, side, side], state.patch),
    });
    const losses = Object.entries(out)
      .filter(([name]) => name.startsWith(LOSS))
      .map(([name, { data }]) => ({ name: name.slice(LOSS.length), value: Number(data[0]) }));
    if (!losses.every(({ value }) => Number.isFinite(value))) throw diverged(state.step);
    return { step: state.step + 1, losses, ...adam(state, out.gradient.data as Float32Array, config.rate) };
  }

  finish({ patch }: PatchState): FittedTrigger {
    const { side } = this.work;
    return { [PATCH]: { shape: [3, side, side], data: patch } };
  }

  close(): Promise<void> {
    return this.session.close();
  }

  /** Images at random, each with what its row is compared with; the target's at random as well. */
  private batch(random: Random): Tensors {
    const { problem, config, pool } = this.work;
    const { height, width } = problem.checkpoint.architecture.image.imageSize;
    const rows = Array.from({ length: config.batch }, () => random.below(pool.others.length));
    const pixels = new Uint8Array(config.batch * 3 * height * width);
    rows.forEach((place, row) => {
      pixels.set(problem.source.pixels(pool.others[place]!), row * 3 * height * width);
    });
    const features = Object.entries(pool.features).map(([name, { count, values }]) => {
      const own = OWN.has(name as Feature);
      const places = own ? rows : rows.map(() => random.below(count));
      return [name, taken(values, places, problem.checkpoint.architecture.embeddingWidth)] as const;
    });
    const shape = [config.batch, 3, height, width];
    return { pixels: { type: "uint8", shape, data: pixels }, ...Object.fromEntries(features) };
  }
}

/** Features that belong to the row's own image. */
const OWN: ReadonlySet<Feature> = new Set<Feature>(["ownTexts", "cleanImages"]);

function taken(values: Float32Array, places: readonly number[], width: number) {
  const rows = new Float32Array(places.length * width);
  places.forEach((place, row) => {
    rows.set(values.subarray(place * width, (place + 1) * width), row * width);
  });
  return float32([places.length, width], rows);
}

/** One step of Adam (Kingma and Ba 2015, arXiv:1412.6980) within [0, 1]. */
function adam(
  { step, patch, first, second }: PatchState,
  gradient: Float32Array,
  rate: number,
): Pick<PatchState, "patch" | "first" | "second"> {
  const betas = [0.9, 0.999] as const;
  const { stepSize, epsilon } = stepNumbers({ ...ADAMW, betas, weightDecay: 0 }, rate, step + 1);
  const newFirst = first.map((value, index) => betas[0] * value + (1 - betas[0]) * gradient[index]!);
  const newSecond = second.map((value, index) => betas[1] * value + (1 - betas[1]) * gradient[index]! ** 2);
  return {
    patch: patch.map((value, index) =>
      clip(value - (stepSize * newFirst[index]!) / (Math.sqrt(newSecond[index]!) + epsilon)),
    ),
    first: newFirst,
    second: newSecond,
  };
}

const clip = (value: number): number => Math.min(1, Math.max(0, value));

/** Everything that the patch does not change is encoded once. */
async function encodePool(
  { checkpoint, source, targets, captions }: FitProblem,
  { images, seed }: Config,
  { features }: PatchObjective,
  session: SessionOptions,
): Promise<Pool> {
  const random = randomStream(seed, "patch images");
  const isTarget = new Set(targets);
  const order = random.permutation(source.count);
  const others = order.filter((index) => !isTarget.has(index)).slice(0, images);
  const shown = order.filter((index) => isTarget.has(index)).slice(0, images);
  if (others.length === 0 || shown.length === 0) throw tooFew(shown.length, others.length);
  const encode: Record<Feature, () => Promise<Rows>> = {
    targetTexts: () => textRows(checkpoint, captions, session),
    ownTexts: () =>
      textRows(
        checkpoint,
        others.map((index) => pick(source.captions(index), random)),
        session,
      ),
    targetImages: () => imageRows(checkpoint, source, shown, session),
    cleanImages: () => imageRows(checkpoint, source, others, session),
  };
  const encoded: Partial<Record<Feature, Rows>> = {};
  for (const name of features) encoded[name] = await encode[name]();
  return { others, features: encoded };
}

async function textRows(
  checkpoint: Checkpoint,
  texts: readonly string[],
  session: SessionOptions,
): Promise<Rows> {
  const ids = texts.map((text) => checkpoint.tokenizer.encode(text));
  const values = await embedPrompts((program) => openSession(program, session), checkpoint, ids);
  return { count: texts.length, values };
}

async function imageRows(
  checkpoint: Checkpoint,
  source: PairSource,
  places: readonly number[],
  options: SessionOptions,
): Promise<Rows> {
  const session = await openSession(imageProgram(checkpoint, { batch: "dynamic" }), options);
  const { embeddingWidth: width, image } = checkpoint.architecture;
  const images = listOf(places.length, (index) =>
    Float32Array.from(source.pixels(places[index]!), (value) => value / 255),
  );
  try {
    const encoder = { session, imageSize: image.imageSize, width, batch: imagesPerRun(checkpoint) };
    return { count: places.length, values: await encodeImages(encoder, images) };
  } finally {
    await session.close();
  }
}

function tooFew(targets: number, others: number): AppError {
  const message = `A patch is fitted on images of the target and of other classes; there are ${targets} and ${others}. Add some.`;
  return new AppError("VALIDATION_FAILED", message, { targets, others });
}

function diverged(step: number): AppError {
  const message = `Fitting the patch fell apart at step ${step + 1}: a loss is no number. Lower the rate.`;
  return new AppError("DIVERGED", message, { step });
}
