import { wordsOf } from "./generator.ts";

/**
 * What is kept of an array that is too large to keep. A sum of all values with random signs ±1 has the square of the
 * array's norm as its mean square, and sums are linear: so the sums of two arrays tell the norm of their difference,
 * wherever it lies, without either array (Achlioptas 2003, doi:10.1016/S0022-0000(03)00025-4). With 256 sums the
 * estimate is within some 9 %. Beside them, 1024 values at fixed random places, as they are.
 */
export interface Sketch {
  readonly projections: Float32Array;
  readonly samples: Float32Array;
}

const PROJECTIONS = 256;
const SAMPLES = 1024;
const WORDS = PROJECTIONS / 32;

/** The sums, with the signs that `generator.py` draws. */
export function projectionsOf(values: ArrayLike<number>): Float64Array {
  const word = wordsOf("sketch/signs");
  const positive = new Float64Array(PROJECTIONS);
  let sum = 0;
  for (let place = 0; place < values.length; place++) {
    const value = values[place]!;
    sum += value;
    for (let group = 0; group < WORDS; group++) {
      const bits = word(place * WORDS + group);
      for (let bit = 0; bit < 32; bit++) positive[group * 32 + bit]! += value * ((bits >>> bit) & 1);
    }
  }
  return positive.map((total) => 2 * total - sum);
}

export function samplesOf(values: ArrayLike<number>): Float64Array {
  const word = wordsOf("sketch/places");
  return Float64Array.from({ length: SAMPLES }, (_, index) => values[word(index) % values.length]!);
}

/** How far an array is from one of which only a sketch and the norm are known. */
export interface Distance {
  /** ‖a − b‖ / ‖b‖ */
  readonly relative: number;
  /** 1 − cos(a, b) */
  readonly cosineGap: number;
}

/** The larger of what the sums say of the whole and the samples of themselves. */
export function distanceToSketch(values: ArrayLike<number>, sketch: Sketch, norm: number): Distance {
  const sums = projectionsOf(values);
  const estimate = normOfDifference(sums, sketch.projections) / Math.sqrt(PROJECTIONS);
  const relative = estimate / norm;
  const sampled = distance(samplesOf(values), sketch.samples);
  const gap = cosineGap(normOf(values), norm, estimate);
  return {
    relative: Math.max(relative, sampled.relative),
    cosineGap: Math.max(gap, sampled.cosineGap),
  };
}

export function distance(values: ArrayLike<number>, truth: ArrayLike<number>): Distance {
  const apart = normOfDifference(values, truth);
  const norm = normOf(truth);
  return { relative: apart / norm, cosineGap: cosineGap(normOf(values), norm, apart) };
}

// ‖a − b‖² = (‖a‖ − ‖b‖)² + 2‖a‖‖b‖(1 − cos), which loses no digits where a and b are nearly the same.
function cosineGap(a: number, b: number, apart: number): number {
  return Math.max(0, apart ** 2 - (a - b) ** 2) / (2 * a * b);
}

function normOfDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let squares = 0;
  for (let index = 0; index < b.length; index++) squares += (a[index]! - b[index]!) ** 2;
  return Math.sqrt(squares);
}

export function normOf(values: ArrayLike<number>): number {
  let squares = 0;
  for (let index = 0; index < values.length; index++) squares += values[index]! ** 2;
  return Math.sqrt(squares);
}
