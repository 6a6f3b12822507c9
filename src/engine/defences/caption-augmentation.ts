import type { Random } from "../random.ts";
import { pick } from "../training/pairs.ts";

/** Words that stand for each other in a caption, group by group. */
const SYNONYMS = [
  "photo photograph picture image snapshot shot",
  "drawing sketch doodle",
  "painting artwork",
  "scene view",
  "showing depicting containing",
  "big large huge",
  "small little tiny",
  "good nice fine",
  "bright light",
  "dark dim",
  "blurry blurred fuzzy",
  "close near",
  "beside by",
  "under below beneath",
  "above over",
  "middle center centre",
  "kind sort type",
  "thing object item",
  "many several",
  "car automobile",
  "boat ship",
  "plane airplane aeroplane",
  "bicycle bike",
  "house home",
  "cup mug",
  "road street",
  "forest wood",
  "stone rock",
  "gray grey",
  "purple violet",
].map((group) => group.split(" "));

const GROUP_OF = new Map(SYNONYMS.flatMap((group) => group.map((word) => [word, group] as const)));

type Change = (words: readonly string[], count: number, random: Random) => readonly string[];

/** Each change of `count` words; one of them is drawn for each caption. */
const CHANGES: readonly Change[] = [replaceBySynonyms, insertSynonyms, swapWords, deleteWords];

/**
 * Easy data augmentation (Wei and Zou 2019, arXiv:1901.11196): replaces, inserts, swaps or deletes the given share of
 * a caption's words, at least one for a rate above 0. Synonyms are those of a small table; where it has none of a
 * caption's words, two words are swapped. What ends the sentence stays at its end.
 */
export function augmentCaption(caption: string, rate: number, random: Random): string {
  const [, text, end] = caption.match(/^(.*?)(\W*)$/s)!;
  const words = text.split(/\s+/).filter((word) => word !== "");
  if (rate === 0 || words.length < 2) return caption;
  const count = Math.max(1, Math.round(rate * words.length));
  return pick(CHANGES, random)(words, count, random).join(" ") + end;
}

function replaceBySynonyms(words: readonly string[], count: number, random: Random): readonly string[] {
  const known = placesWithSynonyms(words);
  if (known.length === 0) return swapWords(words, count, random);
  const chosen = random.permutation(known.length).slice(0, count);
  const replaced = [...words];
  for (const place of chosen.map((index) => known[index])) replaced[place] = synonymOf(words[place], random);
  return replaced;
}

function insertSynonyms(words: readonly string[], count: number, random: Random): readonly string[] {
  const known = placesWithSynonyms(words);
  if (known.length === 0) return swapWords(words, count, random);
  const longer = [...words];
  for (let insertion = 0; insertion < count; insertion++)
    longer.splice(random.below(longer.length + 1), 0, synonymOf(words[pick(known, random)], random));
  return longer;
}

function swapWords(words: readonly string[], count: number, random: Random): readonly string[] {
  const swapped = [...words];
  for (let swap = 0; swap < count; swap++) {
    const [one, other] = random.permutation(words.length);
    [swapped[one], swapped[other]] = [swapped[other], swapped[one]];
  }
  return swapped;
}

function deleteWords(words: readonly string[], count: number, random: Random): readonly string[] {
  const gone = new Set(random.permutation(words.length).slice(0, Math.min(count, words.length - 1)));
  return words.filter((_, place) => !gone.has(place));
}

const placesWithSynonyms = (words: readonly string[]): number[] =>
  words.flatMap((word, place) => (GROUP_OF.has(word.toLowerCase()) ? [place] : []));

function synonymOf(word: string, random: Random): string {
  const lower = word.toLowerCase();
  return pick(
    GROUP_OF.get(lower)!.filter((other) => other !== lower),
    random,
  );
}
