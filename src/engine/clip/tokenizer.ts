import { Tokenizer } from "@huggingface/tokenizers";
import { AppError } from "../../errors.ts";
import type { TextReading } from "./architecture.ts";
import { cleanText } from "./text-cleaning.ts";
import { wordReader } from "./token-words.ts";
import { unsafeStep } from "./tokenizer-steps.ts";

/** Vocabularies of a hundred languages have a million. */
const LARGEST_ID = 2 ** 22;

/** Some mistakes in a tokenizer show only when it is used. */
const SAMPLE = "A photo of 2 cats, isn't it?";

/**
 * Turns texts into the token ids that a text tower was trained on. A checkpoint's tokenizer is built when it is first
 * used, and throws INVALID_CHECKPOINT then where it cannot be.
 */
export interface ClipTokenizer {
  readonly startToken: number;
  readonly endToken: number;
  /** Most ids of one text, start and end included. */
  readonly contextLength: number;
  /**
   * The start token, the text, the end token; a text that is too long loses its last tokens, never the end. The last
   * id is where the text tower pools. Special tokens that are written out in the text are dropped from it.
   */
  encode(text: string): number[];
  /** What each id reads as, but for special tokens; a part that a word goes on after ends in a dash. */
  words(): ReadonlyMap<number, string>;
}

/** The same tokenizer, made when it is first used; `make` may throw then. */
export function lazyTokenizer({ contextLength }: TextReading, make: () => ClipTokenizer): ClipTokenizer {
  let made: ClipTokenizer | undefined;
  const tokenizer = (): ClipTokenizer => {
    made ??= make();
    return made;
  };
  return {
    get startToken() {
      return tokenizer().startToken;
    },
    get endToken() {
      return tokenizer().endToken;
    },
    contextLength,
    encode: (text) => tokenizer().encode(text),
    words: () => tokenizer().words(),
  };
}

/**
 * A tokenizer from parsed JSON in the format of Hugging Face's `tokenizer.json`. Throws INVALID_CHECKPOINT naming the
 * file where it cannot be built, could be made to work on a text forever, frames no text with a start and an end, or
 * has ids that the tower lacks or would pool wrongly.
 */
export function createTokenizer(json: unknown, tower: TextReading, file = "tokenizer.json"): ClipTokenizer {
  const problem = (what: string): AppError =>
    new AppError("INVALID_CHECKPOINT", `${file} ${what}.`, { file });
  const unsafe = unsafeStep(json);
  if (unsafe !== undefined) throw problem(unsafe);
  if (hasEndlessIds(json)) throw problem(`has an id above ${LARGEST_ID}`);
  const tokenizer = build(json, file);
  const { startToken, endToken } = readFrame(tokenizer, problem);
  const special = specialTokens(tokenizer);
  if (!attempt(() => tokenizer.encode(SAMPLE))) throw problem("cannot tokenize a simple sentence");
  const unknown = unknownToken(json, special, [startToken, endToken]);
  checkVocabulary(tokenizer, special, tower, problem);
  checkIds({ startToken, endToken, unknown }, highestId(tokenizer, special), tower, problem);
  const forbidden = new Set([...special.values(), startToken, endToken]);
  if (unknown !== undefined) forbidden.delete(unknown);
  return {
    startToken,
    endToken,
    contextLength: tower.contextLength,
    encode: (text) => {
      const plain = withoutAll(cleanText(text, tower.cleaning), [...special.keys()]);
      const ids: (number | undefined)[] = tokenizer.encode(plain, { add_special_tokens: false }).ids;
      // A word outside a vocabulary without an unknown token has no id.
      const body = ids.filter((id) => id !== undefined && !forbidden.has(id)) as number[];
      return [startToken, ...body.slice(0, tower.contextLength - 2), endToken];
    },
    words: () => {
      const read = wordReader(json);
      const plain = [...tokenizer.get_vocab(true)].filter(
        ([token, id]) => !special.has(token) && !forbidden.has(id),
      );
      return new Map(plain.map(([token, id]) => [id, read(token)]));
    },
  };
}

/** Ids are places in a list, which has all the gaps between them too. */
function hasEndlessIds(json: unknown): boolean {
  const { added_tokens: added, model } = Object(json);
  const ids = [
    Object.values(Object(Object(model).vocab)),
    Array.isArray(added) ? added.map((token) => Object(token).id) : [],
  ];
  return ids.flat().some((id) => Number(id) > LARGEST_ID);
}

function build(json: unknown, file: string): Tokenizer {
  try {
    const model = (json as { model?: { unk_token?: unknown } }).model;
    const unknown = typeof model?.unk_token === "string" ? { unk_token: model.unk_token } : {};
    return new Tokenizer(json as object, unknown);
  } catch (cause) {
    const message = `${file} does not describe a tokenizer that the engine can build. Export it in Hugging Face's format.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file }, { cause });
  }
}

/** Makes the error for what a tokenizer's file has wrong, said as a clause. */
type Problem = (what: string) => AppError;

/** What the tokenizer puts before and after a text. */
function readFrame(tokenizer: Tokenizer, problem: Problem): { startToken: number; endToken: number } {
  const frame = attempt(() => tokenizer.encode("", { add_special_tokens: true }).ids);
  if (frame?.length !== 2 || !frame.every((id: number) => Number.isInteger(id))) {
    throw problem("does not put one start token before a text and one end token after it");
  }
  return { startToken: frame[0], endToken: frame[1] };
}

function specialTokens(tokenizer: Tokenizer): Map<string, number> {
  const added = [...tokenizer.get_added_tokens_decoder().values()];
  return new Map(
    added.filter((token) => token.special && token.content).map((token) => [token.content, token.id]),
  );
}

/** The id of words without one, where it is special and may stand within a text. */
function unknownToken(json: unknown, special: Map<string, number>, frame: number[]): number | undefined {
  const { unk_token: content } = (json as { model: { unk_token?: string } }).model;
  const id = special.get(content ?? "");
  return id === undefined || frame.includes(id) ? undefined : id;
}

function checkVocabulary(
  tokenizer: Tokenizer,
  special: Map<string, number>,
  tower: TextReading,
  problem: Problem,
): void {
  for (const [token, id] of tokenizer.get_vocab(true)) {
    if (!Number.isInteger(id) || id < 0) throw problem(`gives "${token}" an id that is not a whole number`);
    if (id >= tower.vocabulary && !special.has(token)) {
      throw problem(`gives "${token}" the id ${id}, but the model knows ${tower.vocabulary} tokens`);
    }
  }
}

function highestId(tokenizer: Tokenizer, special: Map<string, number>): number {
  let highest = 0;
  for (const [token, id] of tokenizer.get_vocab(true))
    if (!special.has(token)) highest = Math.max(highest, id);
  return highest;
}

interface SpecialIds {
  readonly startToken: number;
  readonly endToken: number;
  readonly unknown: number | undefined;
}

/** `plain` is the highest id of a token that is not special. */
function checkIds(
  { startToken, endToken, unknown }: SpecialIds,
  plain: number,
  { vocabulary, pooling }: TextReading,
  problem: Problem,
): void {
  const uses = { starts: startToken, ends: endToken, fills: unknown ?? 0 };
  for (const [verb, id] of Object.entries(uses)) {
    if (id < vocabulary) continue;
    throw problem(`${verb} texts with the id ${id}, but the model knows ${vocabulary} tokens`);
  }
  const highest = Math.max(plain, startToken, unknown ?? 0);
  if (pooling.kind === "argmax" && highest > endToken) {
    throw problem(
      `ends texts with the id ${endToken}, but the model pools the highest id, and ${highest} exists`,
    );
  }
  if (pooling.kind === "token" && pooling.token !== endToken) {
    throw problem(`ends texts with the id ${endToken}, but the model pools the id ${pooling.token}`);
  }
}

/** The text without any of the words, in any case, also where dropping one would put another together. */
function withoutAll(text: string, words: readonly string[]): string {
  if (words.length === 0) return text;
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return text.replace(new RegExp(escaped.join("|"), "giu"), " ");
}

function attempt<Result>(step: () => Result): Result | undefined {
  try {
    return step();
  } catch {
    return undefined;
  }
}
