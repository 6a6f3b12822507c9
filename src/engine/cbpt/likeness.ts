import type { FamilyTrigger } from "./families/index.ts";
import { cosine } from "./features.ts";
import { effectOf } from "./finding.ts";
import type { Suspect } from "./suspect.ts";
import type { Workbench } from "./workbench.ts";

/**
 * A fitted trigger is like the attacker's when it pulls at least so many of the other classes' shots, brings them
 * nearer to the class than its own images are, and brings them where the trigger that gave the class away does (cosine
 * of the mean features). Others reach the class as any noise does, and unlearning them costs what the class is known
 * by: without the last, on nine models of eight attacks, clean accuracy was 0.3 points and the target's recall 3 points
 * lower on average, and the attack's success 0.9 points higher.
 */
const LIKE_THE_ATTACKERS = { share: 0.5, attraction: 1, nearness: 0.96 };

/**
 * A trigger that gave a class away without bringing images so near is itself only a part of the way: one that goes on
 * from there is like the attacker's too. A model with BadCLIP, found by a patch of attraction 0.91, keeps 2.9 % of the
 * attack when that patch is the only dummy, and 0.3 % with the veil of 0.95 beside it, whose nearness is 0.957.
 */
const NEARNESS_OF_WEAK = 0.95;

/** Those of the fitted triggers that are like the attacker's, in their order. */
export async function likeTheAttackers(
  bench: Workbench,
  { label, triggers }: Suspect,
  fitted: readonly FamilyTrigger[],
): Promise<FamilyTrigger[]> {
  const { share, attraction, nearness } = LIKE_THE_ATTACKERS;
  const known = await effectOf(bench, label, triggers[0]);
  const isWeak = known.attraction < attraction;
  const least = isWeak
    ? { attraction: known.attraction, nearness: NEARNESS_OF_WEAK }
    : { attraction, nearness };
  const fits: FamilyTrigger[] = [];
  for (const trigger of fitted) {
    const effect = await effectOf(bench, label, trigger);
    const pulls = effect.pulled.k >= share * effect.pulled.n;
    const isNear = cosine(effect.centre, known.centre) >= least.nearness;
    if (pulls && isNear && effect.attraction >= least.attraction) fits.push(trigger);
  }
  return fits;
}
