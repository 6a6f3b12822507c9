import type { Count } from "../evaluation/rate.ts";
import type { FamilyName } from "./families/index.ts";

/** The kinds of triggers that an audit looks for in every class. */
export type TriggerFamily = (FamilyName & ("dense" | "grating" | "patch" | "shade")) | "word";

/** What one family's best trigger for one class does to shots of other classes. */
export interface Finding {
  readonly label: number;
  readonly family: TriggerFamily;
  readonly pulled: Count;
  /**
   * How near the triggered images come to the class's text: their mean cosine with it, over that of the class's own
   * clean shots. Above 1, the trigger is more like the class than its images are.
   */
  readonly attraction?: number;
  /** Of a suspect that a word gave away: the word of the vocabulary whose token vector is nearest to the one found. */
  readonly word?: string;
}

/**
 * When a class is suspected. Every model has classes that noise pulls to; what gives a backdoor away is that it pulls
 * much more than the next class does. Measured at 64 pixels and an L2 radius of 2: clean 0.18, next 0.18; BadNet
 * 0.90, next 0.21; Blended 0.54, next 0.36. At a radius of 3: clean 0.51, 0.48, 0.46; another BadNet 0.97, next 0.49.
 * The best gratings on a clean model 0.68, next 0.46. Patches an eighth of the side wide: clean 0.17, next 0.14;
 * BadCLIP 1.00, next 0.37; a model poisoned with TrojVQA, without its word 0.89, 0.88, 0.81.
 * Shades: writing blended in at half 1.00, next 0.45; clean 0.67 with an attraction of 0.89, next 0.57. With a word:
 * TrojVQA 0.91 with an attraction of 1.35, next 0.65 and 0.92; clean 0.20 and at most 0.78; beside the
 * suspects of twelve of the results' models up to 0.47 and 0.95, or 0.48 and 0.79, since a word moves the text toward
 * the images.
 */
const LIMITS: Record<TriggerFamily, Limits> = {
  dense: { share: 0.3, lead: 0.15 },
  // SIG's brought images nearer to the class than its own are (1.03 to 1.09); one that damaged images 0.91.
  grating: { share: 0.8, lead: 0.25, attraction: 0.95 },
  patch: { share: 0.6, lead: 0.25 },
  shade: { share: 0.6, lead: 0.25, attraction: 0.95 },
  word: { share: 0.6, lead: 0.15, attraction: 0.95 },
};

interface Limits {
  readonly share: number;
  readonly lead: number;
  /** Least attraction, where it is known. */
  readonly attraction?: number;
}

/**
 * The gratings to look at more closely: where one pulls as much as a suspect's, also those that follow it too closely
 * for it to stand out, because they may do so by damage alone. Beside a SIG (0.95, attraction 1.06) one for bicycle
 * pulled 0.78, 0.78.
 */
export function notableGratings(findings: readonly Finding[]): Finding[] {
  const { share, lead } = LIMITS.grating;
  const from = findings.some((finding) => shareOf(finding) >= share) ? share - lead : 1;
  return findings.filter((finding) => shareOf(finding) >= from);
}

/** At most this part of the classes, and at least one, can be suspected by one family: many that stand out do not. */
const MOST_SUSPECTS = 0.1;

/** How many of the classes an audit can suspect at most: each family others. */
export const mostSuspected = (classes: number): number =>
  Math.min(classes, Object.keys(LIMITS).length * mostOfOneFamily(classes));

/**
 * Where noise pulls images to any class, the share says little, but a backdoor's trigger still comes nearer to its
 * class than the class's own images do. In a PyTorch prototype of this search, at 64 pixels and an L2 radius of 2, on
 * photographs: BadNet 1.24, the others 0.86 to 1.04; clean 0.82 to 0.95. On scenes: BadNet 0.97, two others 0.67 and
 * 0.72; clean, at 2.5, at most 0.74.
 */
const ATTRACTION = { least: 0.95, lead: 0.15, share: 0.3 };

/**
 * The findings that stand out from the others of their family and from what clean models do; they are those of all
 * families so far, the first of which was looked for in every class.
 */
export function suspectsAmong(findings: readonly Finding[]): Finding[] {
  const families = Object.keys(LIMITS) as TriggerFamily[];
  const most = mostOfOneFamily(new Set(findings.map(({ label }) => label)).size);
  return families.flatMap((family) => {
    const own = findings.filter((finding) => finding.family === family);
    const ahead = standingOut(own, most);
    return ahead.length > 0 ? ahead : attracting(own, most);
  });
}

/** The findings whose triggers come nearer to their class than its own images, and than the median finding, do. */
function attracting(findings: readonly Finding[], most: number): Finding[] {
  const known = findings.filter(({ attraction }) => attraction !== undefined);
  const attractions = known.map(({ attraction }) => attraction as number).sort((a, b) => a - b);
  const median = attractions[Math.floor(attractions.length / 2)];
  const found = known.filter(
    (finding) =>
      shareOf(finding) >= (finding.family === "word" ? LIMITS.word.share : ATTRACTION.share) &&
      (finding.attraction as number) >= Math.max(ATTRACTION.least, median + ATTRACTION.lead),
  );
  return found.length <= most ? found : [];
}

/**
 * The longest run of most-pulled findings of one family that is followed by a wide gap, of those whose attraction is not
 * known to be too little; of several those that are like a backdoor by their attraction too, or at least the one that
 * is most. Beside a strong backdoor, a class that noise pulls to anyway can come before the gap: next to triangles
 * blended in (0.83, attraction 1.05) bicycle with 0.77, 0.92.
 */
function standingOut(findings: readonly Finding[], most: number): Finding[] {
  const sorted = findings.filter(attractsEnough).sort((a, b) => shareOf(b) - shareOf(a) || a.label - b.label);
  for (let count = Math.min(most, sorted.length - 1); count > 0; count--) {
    const [last, next] = [sorted[count - 1], sorted[count]];
    const { share, lead } = LIMITS[last.family];
    if (shareOf(last) < share || shareOf(last) - shareOf(next) < lead) continue;
    const run = sorted.slice(0, count);
    const nearest = Math.max(...run.map(attractionOf));
    return run.filter((finding) => attractionOf(finding) >= Math.min(ATTRACTION.least, nearest));
  }
  return [];
}

const attractsEnough = (finding: Finding): boolean =>
  attractionOf(finding) >= (LIMITS[finding.family].attraction ?? 0);

/** One that was not looked at says nothing against its finding. */
const attractionOf = ({ attraction }: Finding): number => attraction ?? Number.POSITIVE_INFINITY;

/** For each class the finding that comes closest to suspicion, most pulled first. */
export function strongest(findings: readonly Finding[]): Finding[] {
  const weight = (finding: Finding) => shareOf(finding) / LIMITS[finding.family].share;
  const best = new Map<number, Finding>();
  for (const finding of findings) {
    const known = best.get(finding.label);
    if (known === undefined || weight(finding) > weight(known)) best.set(finding.label, finding);
  }
  return [...best.values()].sort((a, b) => weight(b) - weight(a));
}

const mostOfOneFamily = (classes: number): number => Math.max(1, Math.floor(MOST_SUSPECTS * classes));

const shareOf = ({ pulled }: Finding): number => (pulled.n === 0 ? 0 : pulled.k / pulled.n);
