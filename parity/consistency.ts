import { dot } from "../src/engine/cbpt/features.ts";
import { LOSSES } from "../src/engine/cbpt/objective.ts";
import type { Problem } from "../src/engine/cbpt/problem.ts";
import type { Workbench } from "../src/engine/cbpt/workbench.ts";
import type { Checkpoint } from "../src/engine/clip/checkpoint.ts";
import { type CheckName, selfTest } from "../src/engine/clip/self-test.ts";
import type { Device } from "../src/engine/runtime/device.ts";
import type { Program } from "../src/engine/runtime/program.ts";
import { openSession } from "../src/engine/runtime/session.ts";
import { cutRow, type Row } from "./compare.ts";
import { wordsOf } from "./generator.ts";
import { INPUTS, type TuningInputs } from "./inputs.ts";
import { OBJECTIVES, type Objective, type ObjectiveName, tuning } from "./objectives.ts";
import { problemOf, withBench } from "./problem.ts";
import { embedTexts, QUANTITIES } from "./quantities.ts";
import { normOf } from "./sketch.ts";

/** Of the self-test's checks, those with a limit from above. */
const CHECKS: Partial<Record<CheckName, string>> = {
  imageFinite: "image embeddings: values that are not numbers",
  textFinite: "text embeddings: values that are not numbers",
  imageNorm: "image embeddings: length apart from 1",
  textNorm: "text embeddings: length apart from 1",
  imageBatch: "image embeddings: change by the batch",
  textBatch: "text embeddings: change by the batch",
};

/** Directions that each gradient is checked along. */
const DIRECTIONS = 3;

export interface Precision {
  /**
   * How far to go along them, as the change of the loss that the gradient's norm would give, until the error is below
   * half the limit.
   */
  readonly changes: readonly number[];
  /** What differences of a float32 loss can tell. A wrong formula is off by far more. */
  readonly limit: number;
  /** Whether to go where the gradient points, in a random half of its places, and not in a random direction. */
  readonly uphill: boolean;
}

const SMOOTH: Precision = { changes: [1 / 16, 1 / 64, 1 / 4], limit: 0.02, uphill: false };
/**
 * The same across the kinks of ReLU, of which a short step meets fewer. In a random direction the slope is small
 * beside what kinks and rounding do to it; uphill it is not, but what the gradient lacks altogether is not seen.
 */
const KINKED: Precision = { changes: [1 / 64, 1 / 256, 1 / 16], limit: 0.1, uphill: true };
/** Root mean square of the longest step: where a loss is nearly flat, as with random weights, it would leave the place. */
const LONGEST = 1 / 256;

/** Work of a whole check; the self-test, texts and features are as much as one slope each. */
export const CONSISTENCY_WORK = 3 + Object.keys(OBJECTIVES).length * SMOOTH.changes.length * DIRECTIONS;

type Advance = (work: number, what: string) => void;

/**
 * What must hold for any checkpoint, with nothing to compare it with: finite embeddings of length one, prompts that
 * may be cut, gradients that are slopes of their losses.
 */
export async function consistencyOf(
  checkpoint: Checkpoint,
  device: Device,
  advance: Advance = () => {},
): Promise<Row[]> {
  const { name: model, architecture } = checkpoint;
  const open = (program: Program) => openSession(program, { device, threads: 1 });
  const { checks } = await selfTest(open, checkpoint);
  const rows = checks.flatMap(({ name, measured, limit }): Row[] => {
    const quantity = CHECKS[name];
    return quantity ? [{ model, quantity, measure: "difference", measured, limit }] : [];
  });
  advance(1, "texts");
  rows.push(cutRow(model, await embedTexts(checkpoint, device), architecture.embeddingWidth));
  advance(1, "features");
  const problem = await problemOf(checkpoint, device);
  advance(1, "gradients");
  for (const name of Object.keys(OBJECTIVES) as ObjectiveName[])
    rows.push(await gradientRow(model, problem, name, advance));
  return rows;
}

async function gradientRow(
  model: string,
  problem: Problem,
  name: ObjectiveName,
  advance: Advance,
): Promise<Row> {
  const hasKinks = problem.checkpoint.architecture.image.kind === "resnet" && name.endsWith("Inversion");
  const precision = hasKinks ? KINKED : SMOOTH;
  const words = QUANTITIES[`${name}Losses`];
  let left = precision.changes.length * DIRECTIONS;
  const measured = await withBench(problem, (bench) =>
    gradientError(SLOPED[name](bench), precision, () => {
      left -= 1;
      advance(1, words);
    }),
  );
  advance(left, words);
  const quantity = `${QUANTITIES[`${name}Gradient`]}, against the slope of the loss`;
  return { model, quantity, measure: "relative error", measured, limit: precision.limit };
}

/** The alignment loss takes the clean prediction for a constant, so its gradient is not the slope of its value. */
const SLOPED = {
  ...OBJECTIVES,
  publishedTuning: (bench) => tuning(bench, withoutAlignment(INPUTS.publishedTuning)),
} satisfies Record<ObjectiveName, (bench: Workbench) => Objective>;

const withoutAlignment = (given: TuningInputs): TuningInputs => ({
  ...given,
  weights: given.weights.map((weight, index) => (LOSSES[index] === "alignment" ? 0 : weight)),
});

/**
 * How far a gradient g is from the true one, g*, without knowing it: u·g* is the slope of the loss along u, of length
 * 1, (L(x + hu) − L(x − hu)) / 2h. Along a random direction in n dimensions u·(g − g*) has the mean square
 * ‖g − g*‖²/n, which gives ‖g − g*‖ / ‖g*‖; uphill the error is that of the slope itself. A long step sees the
 * curvature, a short one the loss's last digits: the best of a few counts.
 */
export async function gradientError(
  objective: Objective,
  { changes, limit, uphill }: Precision,
  advance: () => void = () => {},
): Promise<number> {
  const { gradient } = await objective.at(objective.start);
  const [norm, spread] = [normOf(gradient), Math.sqrt(gradient.length)];
  let best = Number.POSITIVE_INFINITY;
  for (const change of changes) {
    const step = Math.min(change / norm, LONGEST * spread);
    let squares = 0;
    for (let index = 0; index < DIRECTIONS; index++) {
      const along = uphill ? halfOf(gradient, index) : direction(index, gradient.length);
      squares += (dot(along, gradient) - (await slope(objective, along, step))) ** 2;
      advance();
    }
    const error = Math.sqrt(squares / DIRECTIONS) / (uphill ? norm : norm / spread);
    if (!Number.isFinite(error)) return Number.NaN;
    best = Math.min(best, error);
    if (best < limit / 2) break;
  }
  return best;
}

async function slope({ start, at }: Objective, along: Float32Array, step: number): Promise<number> {
  const moved = async (distance: number) =>
    (await at(start.map((value, index) => value + distance * along[index]!))).total;
  return ((await moved(step)) - (await moved(-step))) / (2 * step);
}

/** Of length 1, with a random sign in each place. */
function direction(index: number, length: number): Float32Array {
  const word = wordsOf(`directions/${index}`);
  const size = 1 / Math.sqrt(length);
  return Float32Array.from({ length }, (_, place) => (word(place) & 1 ? size : -size));
}

/** Of length 1, where the gradient points in a random half of its places. */
function halfOf(gradient: Float32Array, index: number): Float32Array {
  const word = wordsOf(`halves/${index}`);
  const half = gradient.map((value, place) => (word(place) & 1 ? value : 0));
  const norm = normOf(half);
  return half.map((value) => value / norm);
}
