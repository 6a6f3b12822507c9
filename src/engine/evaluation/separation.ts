/** How well a score tells two kinds of images apart. */

/** The area under the curve of detections over false alarms, with its 95 % interval. */
export interface Auroc {
  readonly value: number;
  readonly low95: number;
  readonly high95: number;
}

const Z = 1.959963984540054;

/**
 * The share of pairs of a positive and a negative in which the positive scores higher, ties counted half. The interval
 * is Hanley and McNeil's (1982), cut to [0, 1]. Needs at least one of each.
 */
export function auroc(positives: readonly number[], negatives: readonly number[]): Auroc {
  const [p, n] = [positives.length, negatives.length];
  if (p === 0 || n === 0) throw new RangeError("auroc() needs at least one positive and one negative.");
  const value = sumOfRanks(positives, negatives) / (p * n) - (p + 1) / (2 * n);
  const first = value / (2 - value);
  const second = (2 * value ** 2) / (1 + value);
  const variance =
    (value * (1 - value) + (p - 1) * (first - value ** 2) + (n - 1) * (second - value ** 2)) / (p * n);
  const half = Z * Math.sqrt(Math.max(0, variance));
  return { value, low95: Math.max(0, value - half), high95: Math.min(1, value + half) };
}

/** The sum of the positives' ranks among all, from 1, equal scores sharing the mean of theirs. */
function sumOfRanks(positives: readonly number[], negatives: readonly number[]): number {
  const all = [
    ...positives.map((score) => ({ score, positive: 1 })),
    ...negatives.map((score) => ({ score, positive: 0 })),
  ].sort((a, b) => a.score - b.score);
  let sum = 0;
  for (let start = 0; start < all.length; ) {
    let end = start;
    while (end < all.length && all[end].score === all[start].score) end++;
    const rank = (start + 1 + end) / 2;
    for (let index = start; index < end; index++) sum += rank * all[index].positive;
    start = end;
  }
  return sum;
}

/** The lowest threshold that at most this share of the scores lies above. Needs at least one score. */
export function thresholdAt(share: number, scores: readonly number[]): number {
  const sorted = scores.toSorted((a, b) => b - a);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
