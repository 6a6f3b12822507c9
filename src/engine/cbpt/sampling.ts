import { type Random, randomStream } from "../random.ts";
import type { Problem } from "./problem.ts";

/** Indices of the shots that are not of the class, in order. */
export const othersOf = ({ shots }: Pick<Problem, "shots">, label: number): number[] =>
  shots.flatMap((shot, index) => (shot.label === label ? [] : [index]));

/** Some of the items, each at most once while there are enough of them. */
export function draw(random: Random, items: readonly number[], wanted: number): number[] {
  const drawn: number[] = [];
  while (drawn.length < wanted) {
    const order = random.permutation(items.length).slice(0, wanted - drawn.length);
    drawn.push(...order.map((index) => items[index]!));
  }
  return drawn;
}

/** At most `most` of the shots that are not of the class, the same ones on every call. */
export function sampleOthers(problem: Problem, label: number, most: number): number[] {
  const others = othersOf(problem, label);
  if (others.length <= most) return others;
  return draw(randomStream(problem.config.seed, "sample", label), others, most);
}
