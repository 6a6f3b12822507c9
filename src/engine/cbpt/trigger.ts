import type { Norm, StepRule } from "./config.ts";

/** The ball that triggers stay in. */
export interface Ball {
  readonly norm: Norm;
  readonly radius: number;
}

/** How a gradient becomes a step. */
export interface Descent {
  readonly rule: StepRule;
  /** In radii for NORMALISED, else times the gradient or its sign. */
  readonly size: number;
  readonly momentum: number;
}

/**
 * Moves one trigger against its gradient, in place, and brings it back into the ball: v ← μv + g′, δ ← δ − size·v,
 * where g′ is the gradient, its sign, or the gradient over its own norm.
 */
export function descend(
  trigger: Float32Array,
  velocity: Float32Array,
  gradient: Float32Array,
  { rule, size, momentum }: Descent,
  ball: Ball,
): void {
  const length = rule === "NORMALISED" ? magnitude(gradient, ball.norm) : 1;
  const scale = length > 0 ? 1 / length : 0;
  const step = rule === "NORMALISED" ? size * ball.radius : size;
  for (let index = 0; index < trigger.length; index++) {
    const slope = gradient[index]!;
    velocity[index] = momentum * velocity[index]! + (rule === "SIGN" ? Math.sign(slope) : slope * scale);
    trigger[index] = trigger[index]! - step * velocity[index]!;
  }
  project(trigger, ball);
}

/** The nearest point of the ball, in place: scaled down for L2, clipped for L∞. */
export function project(trigger: Float32Array, { norm, radius }: Ball): void {
  if (norm === "LINF") {
    for (let index = 0; index < trigger.length; index++)
      trigger[index] = Math.min(radius, Math.max(-radius, trigger[index]!));
    return;
  }
  const length = magnitude(trigger, norm);
  if (length <= radius) return;
  for (let index = 0; index < trigger.length; index++) trigger[index] = (trigger[index]! * radius) / length;
}

/** Changes a trigger, in place, so that the image it is added to stays in [0, 1]. */
export function keepInRange(trigger: Float32Array, pixels: Float32Array): void {
  for (let index = 0; index < trigger.length; index++)
    trigger[index] = clip(pixels[index]! + trigger[index]!) - pixels[index]!;
}

/** x + strength · δ in [0, 1], as a new image or over the values of another. */
export function stamp(
  pixels: Float32Array,
  trigger: Float32Array,
  strength = 1,
  stamped = new Float32Array(pixels.length),
): Float32Array {
  for (let index = 0; index < pixels.length; index++)
    stamped[index] = clip(pixels[index]! + strength * trigger[index]!);
  return stamped;
}

function magnitude(values: Float32Array, norm: Norm): number {
  let total = 0;
  if (norm === "L2") for (const value of values) total += value * value;
  else for (const value of values) total = Math.max(total, Math.abs(value));
  return norm === "L2" ? Math.sqrt(total) : total;
}

const clip = (value: number): number => (value < 0 ? 0 : value > 1 ? 1 : value);
