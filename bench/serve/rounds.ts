/** A B C, C B A, ...: what changes steadily on the machine does as much to one as to the others. */
export async function inTurns<Results extends object>(
  rounds: number,
  steps: { readonly [Name in keyof Results]: () => Promise<Results[Name]> },
): Promise<Results[]> {
  const names = Object.keys(steps) as (keyof Results)[];
  const all: Results[] = [];
  for (let round = 0; round < rounds; round++) {
    const results: Partial<Results> = {};
    for (const name of round % 2 === 0 ? names : names.toReversed()) results[name] = await steps[name]();
    all.push(results as Results);
  }
  return all;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
}
