/** Arithmetic on rows of features, row-major [n, D]. */

/** Row `index` of a matrix, without a copy. */
export const row = (matrix: Float32Array, width: number, index: number): Float32Array =>
  matrix.subarray(index * width, (index + 1) * width);

export function dot(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let index = 0; index < a.length; index++) total += a[index]! * b[index]!;
  return total;
}

/** Of two vectors of any length but 0. */
export const cosine = (a: Float32Array, b: Float32Array): number =>
  dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));

/** The class whose text feature is most similar to the image feature; `except` is passed over. */
export function nearestClass(feature: Float32Array, matrix: Float32Array, except = -1): number {
  const width = feature.length;
  let best = -1;
  let highest = Number.NEGATIVE_INFINITY;
  // Without `row` and `dot`: probes and audits compare so often that a view for each text feature would be felt.
  for (let label = 0, at = 0; at < matrix.length; label++) {
    let similarity = 0;
    for (let index = 0; index < width; index++, at++) similarity += feature[index] * matrix[at];
    if (label === except || !(similarity > highest)) continue;
    best = label;
    highest = similarity;
  }
  return best;
}

/** The nearest class of each row of `features`. */
export const predictions = (features: Float32Array, matrix: Float32Array, width: number): number[] =>
  Array.from({ length: features.length / width }, (_, index) =>
    nearestClass(row(features, width, index), matrix),
  );

/** Rows of a matrix, one after another, in the order of the indices. */
export function gatherRows(matrix: Float32Array, width: number, indices: readonly number[]): Float32Array {
  const rows = new Float32Array(indices.length * width);
  indices.forEach((index, position) => {
    rows.set(row(matrix, width, index), position * width);
  });
  return rows;
}

/** The mean of the rows, [D]. */
export function meanRow(rows: Float32Array, width: number): Float32Array {
  const mean = new Float32Array(width);
  const count = rows.length / width;
  rows.forEach((value, index) => {
    mean[index % width] += value / count;
  });
  return mean;
}

/** The sum of the rows, [D]. */
export function sumOfRows(rows: Float32Array, width: number): Float32Array {
  const sum = new Float32Array(width);
  for (let at = 0; at < rows.length; ) for (let index = 0; index < width; index++) sum[index] += rows[at++];
  return sum;
}

/** One-hot rows [n, classes]; a negative index gives a row of zeros. */
export function oneHot(indices: readonly number[], classes: number): Float32Array {
  const rows = new Float32Array(indices.length * classes);
  indices.forEach((index, position) => {
    if (index >= 0) rows[position * classes + index] = 1;
  });
  return rows;
}

/** Arrays as one. */
export function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
