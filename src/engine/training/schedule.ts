/** How the learning rate moves over the steps. */
export interface Schedule {
  /** The highest learning rate. */
  readonly rate: number;
  readonly steps: number;
  /** Steps over which it rises to it, in equal parts. */
  readonly warmUp: number;
}

/** The rate of a step, counted from 0: the smaller of a linear rise and half a cosine that ends in zero. */
export function rateAt({ rate, steps, warmUp }: Schedule, step: number): number {
  const rising = (step + 1) / Math.max(1, warmUp);
  const falling = 0.5 * (1 + Math.cos((Math.PI * step) / steps));
  return rate * Math.min(rising, falling);
}
