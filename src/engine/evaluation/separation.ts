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
 * is Newcombe's (2006, method 5): the values at whose own spread, by Hanley and McNeil's formula (1982), this one is just
 * 1.96 deviations away. It does not vanish where all pairs are in order. Needs at least one of each.
 */
export function auroc(positives: readonly number[], negatives: readonly number[]): Auroc {
  const [p, n] = [positives.length, negatives.length];
  if (p === 0 || n === 0) throw new RangeError("auroc() needs at least one positive and one negative.");
  const value = sumOfRanks(positives, negatives) / (p * n) - (p + 1) / (2 * n);
  const isWithin = (other: number) => Math.abs(other - value) <= Z * deviation(other, p, n);
  return { value, low95: bound(value, 0, isWithin), high95: bound(value, 1, isWithin) };
}

/** How far an area estimated from so many positives and negatives varies, taking both for their mean as method 5 does. */
function deviation(area: number, positives: number, negatives: number): number {
  const others = (positives + negatives) / 2 - 1;
  const variance =
    (area * (1 - area) * (1 + (others * (1 - area)) / (2 - area) + (others * area) / (1 + area))) /
    (positives * negatives);
  return Math.sqrt(variance);
}

/** Between a value that is within and an end that may not be, the last that is, by halving. */
function bound(value: number, end: number, isWithin: (other: number) => boolean): number {
  if (isWithin(end)) return end;
  let [inside, outside] = [value, end];
  for (let step = 0; step < 60; step++) {
    const middle = (inside + outside) / 2;
    if (isWithin(middle)) inside = middle;
    else outside = middle;
  }
  return inside;
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
