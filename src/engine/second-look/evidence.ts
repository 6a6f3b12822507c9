import { bestOf } from "../cbpt/guard.ts";
import type { Scores } from "../clip/zero-shot.ts";

/** The class that prompts put first, and how probable they find it. */
export interface Sight {
  readonly label: number;
  readonly probability: number;
}

/** What both sets of prompts see in an image or in a view of it. */
export interface Sighting {
  readonly undefended: Sight;
  readonly purified: Sight;
}

export function sightOf(scores: Scores): Sight {
  const label = bestOf(scores);
  return { label, probability: scores.probabilities[label] };
}

/** So much evidence settles a class: one view that both prompts are sure of, or two that they are less sure of. */
const ENOUGH = 0.8;
/** Less than this is none. */
const LEAST = 0.3;

/**
 * What the views of an image speak for: each that both prompts agree on for its class, by the probability that the less
 * sure of them gives it. No view speaks for the class that the undefended prompts see in the image itself, since one can
 * leave enough of a trigger to mislead both prompts: where most speaks for that class, nothing does for any. So no image
 * that a trigger brings to a class of the undefended model is given that class by a view.
 */
export class Evidence<Witness> {
  private readonly sums = new Map<number, { sum: number; surest: number; witness: Witness }>();

  /** @param undefended the class that the undefended prompts see in the image itself. */
  constructor(private readonly undefended: number) {}

  /** Takes in what a view shows, and whatever stands for that view. Says whether that settles it. */
  add({ undefended, purified }: Sighting, witness: Witness): boolean {
    const { label } = purified;
    if (undefended.label !== label) return false;
    const probability = Math.min(undefended.probability, purified.probability);
    const before = this.sums.get(label);
    const surest = before && before.surest > probability ? before : { surest: probability, witness };
    const sum = (before?.sum ?? 0) + probability;
    this.sums.set(label, { ...surest, sum });
    return sum >= ENOUGH;
  }

  /** The surest witness of the class that most speaks for; nothing where that is the undefended one, or hardly anything speaks. */
  get witness(): Witness | undefined {
    const [best] = [...this.sums].sort(([, one], [, other]) => other.sum - one.sum);
    if (best === undefined) return undefined;
    const [label, { sum, witness }] = best;
    return label !== this.undefended && sum > LEAST ? witness : undefined;
  }
}
