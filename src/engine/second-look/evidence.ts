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

export function sightOf({ logits, probabilities }: Scores): Sight {
  const label = logits.reduce((best, logit, place) => (logit > logits[best] ? place : best), 0);
  return { label, probability: probabilities[label] };
}

/** So much evidence settles a class: one view that both prompts are sure of, or two that they are less sure of. */
const ENOUGH = 0.8;
/** The suspected class needs so much more: a view can leave enough of a trigger to mislead both prompts. */
const SUSPICION = 0.4;
/** Less than this is none. */
const LEAST = 0.3;

/**
 * What the views of an image speak for: each that both prompts agree on for its class, by the probability that the less
 * sure of them gives it.
 */
export class Evidence<Witness> {
  private readonly sums = new Map<number, { sum: number; surest: number; witness: Witness }>();

  /** @param suspected the class that the undefended prompts see in the image itself. */
  constructor(private readonly suspected: number) {}

  /** Takes in what a view shows, and whatever stands for that view. Says whether a class is settled by it. */
  add({ undefended, purified }: Sighting, witness: Witness): boolean {
    const { label } = purified;
    if (undefended.label !== label) return false;
    const probability = Math.min(undefended.probability, purified.probability);
    const before = this.sums.get(label);
    const surest = before && before.surest > probability ? before : { surest: probability, witness };
    this.sums.set(label, { ...surest, sum: (before?.sum ?? 0) + probability });
    return this.for(label) >= ENOUGH;
  }

  /** The surest witness of the class that most speaks for; nothing where hardly anything speaks for any. */
  get witness(): Witness | undefined {
    const labels = [...this.sums.keys()].filter((label) => this.for(label) > LEAST);
    const [best] = labels.sort((one, other) => this.for(other) - this.for(one));
    return best === undefined ? undefined : this.sums.get(best)?.witness;
  }

  private for(label: number): number {
    const sum = this.sums.get(label)?.sum ?? 0;
    return label === this.suspected ? sum - SUSPICION : sum;
  }
}
