/** k of n: the form in which a count is stored and sent. */
export interface Count {
  readonly k: number;
  readonly n: number;
}

/** A count with its share and the Wilson interval around it. */
export interface Rate extends Count {
  /** k / n; 0 when n is 0. */
  readonly value: number;
  readonly low95: number;
  readonly high95: number;
}

/** The normal distribution's 97.5 % point. */
const Z = 1.959963984540054;

/**
 * The 95 % interval of Wilson (1927) for a share of k in n: the shares p with |k/n − p| ≤ z·√(p(1−p)/n). 0 of 1000
 * gives at most 0.38 %. With n = 0 nothing is known: the interval is [0, 1].
 */
export function rate({ k, n }: Count): Rate {
  if (n === 0) return { k, n, value: 0, low95: 0, high95: 1 };
  const value = k / n;
  const scale = 1 / (1 + Z ** 2 / n);
  const centre = scale * (value + Z ** 2 / (2 * n));
  const half = scale * Z * Math.sqrt((value * (1 - value)) / n + Z ** 2 / (4 * n ** 2));
  // At the ends the interval is exact: rounding must not leave 0 or 1 by an ulp.
  return { k, n, value, low95: k === 0 ? 0 : centre - half, high95: k === n ? 1 : centre + half };
}

/** How many of the items hold. */
export function count<Item>(items: readonly Item[], holds: (item: Item, index: number) => boolean): Count {
  return { k: items.filter(holds).length, n: items.length };
}
