import { randomStream } from "../random.ts";

export interface TsneOptions {
  /** About how many neighbours each point minds; below a third of the points. */
  readonly perplexity?: number;
  readonly steps?: number;
  readonly seed?: number;
}

/** For the first steps attractions are stronger, so that clusters find themselves. */
const EXAGGERATION = 12;
const EXAGGERATED_STEPS = 250;

/**
 * A map [n, 2] of points [n, width] on which neighbours stay neighbours: t-SNE (van der Maaten and Hinton 2008, JMLR
 * 9), exact, so for some thousand points at most. Distances on the map between far clusters mean nothing. The same
 * seed gives the same map.
 */
export function tsne(
  points: Float32Array,
  width: number,
  { perplexity = 30, steps = 750, seed = 1 }: TsneOptions = {},
): Float64Array {
  const count = points.length / width;
  const near = affinities(squaredDistances(points, width), count, Math.min(perplexity, (count - 1) / 3));
  const random = randomStream(seed, "tsne");
  const map = Float64Array.from({ length: 2 * count }, () => 1e-4 * random.normal());
  const velocity = new Float64Array(map.length);
  const gains = new Float64Array(map.length).fill(1);
  const rate = Math.max(50, count / EXAGGERATION / 4);
  for (let step = 0; step < steps; step++) {
    const early = step < EXAGGERATED_STEPS;
    const slope = gradient(map, near, early ? EXAGGERATION : 1);
    for (let index = 0; index < map.length; index++) {
      // Jacobs' rule: a coordinate that keeps its direction goes faster.
      const steady = Math.sign(slope[index]) !== Math.sign(velocity[index]);
      gains[index] = Math.max(0.01, steady ? gains[index] + 0.2 : gains[index] * 0.8);
      velocity[index] = (early ? 0.5 : 0.8) * velocity[index] - rate * gains[index] * slope[index];
      map[index] += velocity[index];
    }
    centre(map);
  }
  return map;
}

function squaredDistances(points: Float32Array, width: number): Float64Array {
  const count = points.length / width;
  const distances = new Float64Array(count * count);
  for (let a = 0; a < count; a++)
    for (let b = 0; b < a; b++) {
      let sum = 0;
      for (let index = 0; index < width; index++)
        sum += (points[a * width + index] - points[b * width + index]) ** 2;
      distances[a * count + b] = distances[b * count + a] = sum;
    }
  return distances;
}

/** p = (p(b|a) + p(a|b)) / 2n, each row a Gaussian whose width gives it the wanted perplexity. */
function affinities(distances: Float64Array, count: number, perplexity: number): Float64Array {
  const rows = new Float64Array(count * count);
  for (let a = 0; a < count; a++) {
    const own = distances.subarray(a * count, (a + 1) * count);
    rows.set(neighbours(own, a, Math.log(perplexity)), a * count);
  }
  return rows.map((value, index) => {
    const [a, b] = [Math.floor(index / count), index % count];
    return Math.max(1e-12, (value + rows[b * count + a]) / (2 * count));
  });
}

/** The row p(·|own) ∝ e^(−β d) whose entropy is the wanted one; β by bisection. */
function neighbours(distances: Float64Array, own: number, wanted: number): Float64Array {
  let [low, high, beta] = [0, Number.POSITIVE_INFINITY, 1];
  const nearest = distances.reduce((a, b, index) => (index === own ? a : Math.min(a, b)), Infinity);
  let row = distances;
  for (let round = 0; round < 60; round++) {
    row = distances.map((distance, index) => (index === own ? 0 : Math.exp(-beta * (distance - nearest))));
    const sum = row.reduce((a, b) => a + b, 0);
    row = row.map((value) => value / sum);
    const entropy = -row.reduce((total, value) => total + (value > 0 ? value * Math.log(value) : 0), 0);
    if (Math.abs(entropy - wanted) < 1e-5) break;
    if (entropy > wanted) [low, beta] = [beta, high === Infinity ? 2 * beta : (beta + high) / 2];
    else [high, beta] = [beta, (low + beta) / 2];
  }
  return row;
}

/** ∂KL/∂y_a = 4 Σ_b (p − q)(y_a − y_b) / (1 + |y_a − y_b|²) */
function gradient(map: Float64Array, near: Float64Array, exaggeration: number): Float64Array {
  const count = map.length / 2;
  const closeness = new Float64Array(count * count);
  let total = 0;
  for (let a = 0; a < count; a++)
    for (let b = 0; b < a; b++) {
      const square = (map[2 * a] - map[2 * b]) ** 2 + (map[2 * a + 1] - map[2 * b + 1]) ** 2;
      const close = 1 / (1 + square);
      closeness[a * count + b] = closeness[b * count + a] = close;
      total += 2 * close;
    }
  const slope = new Float64Array(map.length);
  for (let a = 0; a < count; a++)
    for (let b = 0; b < count; b++) {
      const close = closeness[a * count + b];
      const force = 4 * (exaggeration * near[a * count + b] - close / total) * close;
      slope[2 * a] += force * (map[2 * a] - map[2 * b]);
      slope[2 * a + 1] += force * (map[2 * a + 1] - map[2 * b + 1]);
    }
  return slope;
}

function centre(map: Float64Array): void {
  for (const axis of [0, 1]) {
    let sum = 0;
    for (let index = axis; index < map.length; index += 2) sum += map[index];
    const mean = (2 * sum) / map.length;
    for (let index = axis; index < map.length; index += 2) map[index] -= mean;
  }
}
