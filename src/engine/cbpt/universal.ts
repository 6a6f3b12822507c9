import { randomStream } from "../random.ts";
import { joined } from "./features.ts";
import { imageValues, type Problem } from "./problem.ts";
import { draw, othersOf } from "./sampling.ts";
import { descend } from "./trigger.ts";
import type { Workbench } from "./workbench.ts";

/** Images in one run of an inversion, at most. */
const IMAGES_PER_RUN = 160;

/** One universal trigger for each class, on its way. */
export interface Universal {
  readonly step: number;
  /** [C, 3, H, W] */
  readonly triggers: Float32Array;
  /** [C, 3, H, W] */
  readonly velocity: Float32Array;
  /** [C]: CE toward each class at the last step. */
  readonly losses: Float32Array;
}

export function startUniversal(problem: Problem): Universal {
  const { labels } = problem;
  const size = labels.length * imageValues(problem);
  return {
    step: 0,
    triggers: new Float32Array(size),
    velocity: new Float32Array(size),
    losses: new Float32Array(labels.length),
  };
}

/**
 * One step of every class's trigger: minimises CE(s·f(x + δ_c)·Tᵀ, c) over `innerBatch` shots of other classes, drawn
 * anew, within a ball of the given radius.
 */
export async function stepUniversal(bench: Workbench, state: Universal, radius: number): Promise<Universal> {
  const { problem } = bench;
  const { config, labels } = problem;
  const size = imageValues(problem);
  const [triggers, velocity, losses] = [state.triggers.slice(), state.velocity.slice(), state.losses.slice()];
  const descent = { rule: config.stepRule, size: config.stepSize, momentum: config.innerMomentum };
  let done = 0;
  for (const group of groups(labels.length, Math.max(1, Math.floor(IMAGES_PER_RUN / config.innerBatch)))) {
    const pixels = group.flatMap((label) => drawOthers(problem, label, state.step));
    const own = joined(group.map((label) => triggers.subarray(label * size, (label + 1) * size)));
    const result = await bench.invertUniversal(joined(pixels), own, group);
    group.forEach((label, index) => {
      if (label < done) return;
      const [from, to] = [label * size, (label + 1) * size];
      const gradient = result.gradient.subarray(index * size, (index + 1) * size);
      descend(triggers.subarray(from, to), velocity.subarray(from, to), gradient, descent, {
        norm: config.norm,
        radius,
      });
      losses[label] = result.losses[index]!;
    });
    done = group.at(-1)! + 1;
  }
  return { step: state.step + 1, triggers, velocity, losses };
}

function drawOthers(problem: Problem, label: number, step: number): Float32Array[] {
  const random = randomStream(problem.config.seed, "universal", label, step);
  return draw(random, othersOf(problem, label), problem.config.innerBatch).map(
    (index) => problem.shots[index]!.pixels,
  );
}

/**
 * The classes in groups of equal size, so that one compiled program serves them all; the last group may repeat
 * classes of the one before it.
 */
function groups(classes: number, most: number): number[][] {
  const count = Math.ceil(classes / most);
  const size = Math.ceil(classes / count);
  return Array.from({ length: count }, (_, group) => {
    const start = Math.min(group * size, classes - size);
    return Array.from({ length: size }, (_, index) => start + index);
  });
}
