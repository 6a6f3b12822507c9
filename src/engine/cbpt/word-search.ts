import { AppError } from "../../errors.ts";
import { randomStream } from "../random.ts";
import type { Program } from "../runtime/program.ts";
import { openSession } from "../runtime/session.ts";
import { stampFamily } from "./families/index.ts";
import { dot, gatherRows, joined, meanRow, predictions, row, sumOfRows } from "./features.ts";
import { COUNTED } from "./finding.ts";
import { nearestWords } from "./nearest-words.ts";
import { imageValues, type Problem } from "./problem.ts";
import { assembleTokens, contextGradient, type PromptLayout } from "./prompts.ts";
import { draw, othersOf, sampleOthers } from "./sampling.ts";
import { IMAGES_PER_RUN, RUNS_PER_STEP } from "./search.ts";
import { descend } from "./trigger.ts";
import type { Finding } from "./verdict.ts";
import type { Workbench } from "./workbench.ts";

/**
 * The search for a dense trigger and for a word before every prompt that pull to one class together, on its way: a
 * backdoor that needs a word (TrojVQA, arXiv:2112.07668) shows itself to no search in the image alone.
 */
export interface WordSearch {
  readonly step: number;
  /** δ, [3, H, W] */
  readonly trigger: Float32Array;
  readonly velocity: Float32Array;
  /** [d]: the token vector of the word. */
  readonly word: Float32Array;
  readonly wordVelocity: Float32Array;
  /** CE of triggered images toward the class, and of clean ones toward their own, at the last step. */
  readonly loss: number;
}

/** What such a search has come to. */
export type FoundWord = Pick<WordSearch, "trigger" | "word">;

/** Clean shots on which a run sees that the word does no harm by itself. */
export const CLEAN_ROWS = 64;
/** Length of a step, in radii of the trigger and in longest words. */
const STEP = 0.1;
/** Longest word, in mean lengths of the prompts' own token vectors: the words of a vocabulary are shorter than those. */
const LONGEST_WORD = 0.5;

export const startWordSearch = (problem: Problem): WordSearch => ({
  step: 0,
  trigger: new Float32Array(imageValues(problem)),
  velocity: new Float32Array(imageValues(problem)),
  word: new Float32Array(problem.layout.width),
  wordVelocity: new Float32Array(problem.layout.width),
  loss: 0,
});

/**
 * One step: minimises CE(s·f(x + δ)·T(w)ᵀ, c) over shots of other classes plus CE(s·f(x)·T(w)ᵀ, y) over clean shots,
 * for T(w) the text features of `w` and the first template of every label.
 */
export async function stepWordSearch(
  bench: Workbench,
  label: number,
  search: WordSearch,
  radius: number,
): Promise<WordSearch> {
  const { problem } = bench;
  const { layout, tower } = phrasesOf(bench);
  const tokens = assembleTokens(layout, search.word);
  const text = await tower.features(tokens);
  const runs = await Promise.all(
    Array.from({ length: RUNS_PER_STEP }, (_, run) => slopesOf(bench, label, search, { run, text })),
  );
  const sum = (arrays: readonly Float32Array[]) => sumOfRows(joined(arrays), arrays[0].length);
  const byTokens = await tower.pullBack(tokens, sum(runs.map(({ byText }) => byText)));
  const descent = { rule: "NORMALISED", size: STEP, momentum: problem.config.innerMomentum } as const;
  const next = {
    trigger: search.trigger.slice(),
    velocity: search.velocity.slice(),
    word: search.word.slice(),
    wordVelocity: search.wordVelocity.slice(),
  };
  const slope = sum(runs.map(({ byTrigger }) => byTrigger));
  descend(next.trigger, next.velocity, slope, descent, { norm: "L2", radius });
  const ball = { norm: "L2", radius: longestWord(layout) } as const;
  descend(next.word, next.wordVelocity, contextGradient(layout, byTokens), descent, ball);
  return { ...next, step: search.step + 1, loss: total(runs.map(({ loss }) => loss)) / runs.length };
}

/** As of an image trigger alone, with the word before the prompts. */
export async function wordFindingOf(
  bench: Workbench,
  label: number,
  { trigger, word }: FoundWord,
): Promise<Finding> {
  const { problem } = bench;
  const { shots, features, width, imageSize } = problem;
  const { layout, tower } = phrasesOf(bench);
  const text = await tower.features(assembleTokens(layout, word));
  const others = sampleOthers(problem, label, COUNTED);
  const dense = { family: "dense", place: [], values: trigger } as const;
  const triggered = await bench.encode(
    others.map((index) => stampFamily(dense, shots[index].pixels, imageSize)),
  );
  const hits = predictions(triggered, text, width).filter((predicted) => predicted === label);
  const own = shots.flatMap((shot, index) => (shot.label === label ? [index] : []));
  const nearness = (rows: Float32Array) => dot(meanRow(rows, width), row(text, width, label));
  const attraction = nearness(triggered) / nearness(gatherRows(features, width, own));
  return { label, family: "word", pulled: { k: hits.length, n: others.length }, attraction };
}

/** For each token vector the nearest word of the vocabulary: the attacker's own, where the search has found it. */
export async function namesOfWords(
  { checkpoint, threads }: Problem,
  words: readonly Float32Array[],
): Promise<string[]> {
  if (words.length === 0) return [];
  const open = (program: Program) => openSession(program, { device: "cpu", threads });
  const near = await nearestWords(open, checkpoint, joined(words), { metric: "COSINE", count: 1 });
  return near.map(([{ word }]) => word);
}

interface Slopes {
  /** [3, H, W] */
  readonly byTrigger: Float32Array;
  /** [C, D] */
  readonly byText: Float32Array;
  readonly loss: number;
}

async function slopesOf(
  bench: Workbench,
  label: number,
  { step, trigger }: WordSearch,
  { run, text }: { readonly run: number; readonly text: Float32Array },
): Promise<Slopes> {
  const { problem } = bench;
  const { shots, imageSize, features, width } = problem;
  const random = randomStream(problem.config.seed, "word", label, step, run);
  const images = draw(random, othersOf(problem, label), IMAGES_PER_RUN).map((index) => shots[index].pixels);
  const clean = draw(random, Array.from(shots.keys()), CLEAN_ROWS);
  const dense = { family: "dense", place: [], values: trigger } as const;
  const stamped = images.map((pixels) => stampFamily(dense, pixels, imageSize));
  const { loss, byPixels, byText } = await bench.pullWithText(joined(stamped), label, text, {
    features: gatherRows(features, width, clean),
    labels: clean.map((index) => shots[index].label),
  });
  return { byTrigger: sumOfRows(byPixels, trigger.length), byText, loss };
}

function phrasesOf({ problem, phrases: tower }: Workbench) {
  const { wordLayout: layout } = problem;
  if (layout && tower) return { layout, tower };
  throw new AppError("INTERNAL", "A word was to be put before prompts that have no room for it.");
}

/** In the unit of token vectors: their mean length in the prompts, the part of it that is allowed. */
function longestWord({ base, width }: PromptLayout): number {
  const lengths = Array.from({ length: base.length / width }, (_, at) => {
    const vector = row(base, width, at);
    return Math.sqrt(dot(vector, vector));
  }).filter((length) => length > 0);
  return (LONGEST_WORD * total(lengths)) / lengths.length;
}

const total = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
