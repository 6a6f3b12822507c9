import { randomStream } from "../random.ts";
import { concurrently } from "../runtime/concurrently.ts";
import { joined } from "./features.ts";
import { imageValues, type Problem } from "./problem.ts";
import { draw, othersOf } from "./sampling.ts";
import { descend } from "./trigger.ts";
import type { Workbench } from "./workbench.ts";

/** Triggers in one run of an inversion: with 8 images each, what fits the processor's caches. */
export const TRIGGERS_PER_RUN = 2;

/** Runs whose images are in memory at the same time. */
const RUNS_AT_ONCE = 8;

/** One universal trigger for each of T targets, on its way. */
export interface Universal {
  readonly step: number;
  /** [T, 3, H, W] */
  readonly triggers: Float32Array;
  /** [T, 3, H, W] */
  readonly velocity: Float32Array;
  /** [T]: CE toward each target at the last step. */
  readonly losses: Float32Array;
}

export function startUniversal(problem: Problem): Universal {
  const { targets } = problem;
  const size = targets.length * imageValues(problem);
  return {
    step: 0,
    triggers: new Float32Array(size),
    velocity: new Float32Array(size),
    losses: new Float32Array(targets.length),
  };
}

/**
 * One step of a target's trigger, for each of the contenders: minimises CE(s·f(x + δ_c)·Tᵀ, c) over `innerBatch` shots
 * of other classes, drawn anew, within a ball of the given radius.
 *
 * @param contenders labels, some of the targets.
 */
export async function stepUniversal(
  bench: Workbench,
  state: Universal,
  radius: number,
  contenders: readonly number[],
): Promise<Universal> {
  const { problem } = bench;
  const { config, targets } = problem;
  const [triggers, velocity, losses] = [state.triggers.slice(), state.velocity.slice(), state.losses.slice()];
  const size = imageValues(problem);
  const partOf = (values: Float32Array, label: number) => {
    const place = targets.indexOf(label);
    return values.subarray(place * size, (place + 1) * size);
  };
  const starts = Array.from({ length: Math.ceil(contenders.length / TRIGGERS_PER_RUN) }, (_, number) =>
    Math.min(number * TRIGGERS_PER_RUN, Math.max(0, contenders.length - TRIGGERS_PER_RUN)),
  );
  await concurrently(starts, RUNS_AT_ONCE, async (start, number) => {
    const group = contenders.slice(start, start + TRIGGERS_PER_RUN);
    const pixels = group.flatMap((label) => drawOthers(problem, label, state.step));
    const own = joined(group.map((label) => partOf(state.triggers, label)));
    const result = await bench.invertUniversal(joined(pixels), own, group);
    group.forEach((label, index) => {
      // The last group may repeat a class that belongs to the one before it.
      if (start + index < number * TRIGGERS_PER_RUN) return;
      const gradient = result.gradient.subarray(index * size, (index + 1) * size);
      const ball = { norm: config.norm, radius };
      descend(partOf(triggers, label), partOf(velocity, label), gradient, descentOf(problem), ball);
      losses[targets.indexOf(label)] = result.losses[index];
    });
  });
  return { step: state.step + 1, triggers, velocity, losses };
}

const descentOf = ({ config }: Problem) => ({
  rule: config.stepRule,
  size: config.stepSize,
  momentum: config.innerMomentum,
});

/** Shots of other classes for one step. */
function drawOthers(problem: Problem, label: number, step: number): Float32Array[] {
  const random = randomStream(problem.config.seed, "universal", label, step, 0);
  return draw(random, othersOf(problem, label), problem.config.innerBatch).map(
    (index) => problem.shots[index].pixels,
  );
}
