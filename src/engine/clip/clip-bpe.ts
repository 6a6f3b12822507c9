import { AppError } from "../../errors.ts";

const START = "<|startoftext|>";
const END = "<|endoftext|>";
const END_OF_WORD = "</w>";

/** How CLIP cuts a text before merging: contractions, runs of letters, single digits, runs of anything else. */
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/**
 * CLIP's byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909, over bytes) in the format of `tokenizer.json`.
 * `merges` are pairs with a space between them, most important first; those whose result has no id are left out.
 * Throws INVALID_CHECKPOINT naming the file.
 */
export function clipBpe(
  vocabulary: ReadonlyMap<string, number>,
  merges: readonly string[],
  file: string,
): object {
  const [start, end] = [START, END].map((token) => idOf(vocabulary, token, file));
  const pairs = merges.map((line) => line.split(" "));
  const wrong = pairs.find((pair) => pair.length !== 2);
  if (wrong) throw invalid(file, `has the merge ${JSON.stringify(wrong.join(" "))}, which is not a pair`);
  const special = { special: true, single_word: false, lstrip: false, rstrip: false, normalized: false };
  return {
    added_tokens: [
      { ...special, id: start, content: START },
      { ...special, id: end, content: END },
    ],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s+" }, content: " " },
        { type: "Lowercase" },
      ],
    },
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: WORDS }, behavior: "Removed", invert: true },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
      ],
    },
    post_processor: {
      type: "RobertaProcessing",
      sep: [END, end],
      cls: [START, start],
      add_prefix_space: false,
    },
    decoder: null,
    model: {
      type: "BPE",
      unk_token: END,
      continuing_subword_prefix: "",
      end_of_word_suffix: END_OF_WORD,
      vocab: Object.fromEntries(vocabulary),
      merges: pairs.filter(([left, right]) => vocabulary.has(left + right)),
    },
  };
}

/**
 * The ids that OpenAI gives: 256 characters that stand for the bytes, the same at a word's end, the results of as
 * many merges as fit, the start and the end of text. Throws INVALID_CHECKPOINT where the list has too few.
 */
export function vocabularyOfMerges(
  lines: readonly string[],
  size: number,
  file: string,
): { vocabulary: Map<string, number>; merges: readonly string[] } {
  const bytes = byteCharacters();
  const count = size - 2 * bytes.length - 2;
  if (count < 0 || lines.length < count) {
    throw invalid(file, `has ${lines.length} merges, but the model knows ${size} tokens`);
  }
  const merges = lines.slice(0, count);
  const tokens = [
    ...bytes,
    ...bytes.map((character) => character + END_OF_WORD),
    ...merges.map((line) => line.replace(" ", "")),
    START,
    END,
  ];
  return { vocabulary: new Map(tokens.map((token, id) => [token, id])), merges };
}

/** A visible character for every byte: printable Latin-1 first, as itself; the others count on from U+0100. */
function byteCharacters(): string[] {
  const ranges = [
    [0x21, 0x7e],
    [0xa1, 0xac],
    [0xae, 0xff],
  ];
  const printable = ranges.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  );
  const others = Array.from({ length: 256 - printable.length }, (_, index) => 0x100 + index);
  return [...printable, ...others].map((code) => String.fromCodePoint(code));
}

function idOf(vocabulary: ReadonlyMap<string, number>, token: string, file: string): number {
  const id = vocabulary.get(token);
  if (id !== undefined) return id;
  throw invalid(file, `has no token ${token}`);
}

function invalid(file: string, problem: string): AppError {
  return new AppError("INVALID_CHECKPOINT", `${file} ${problem}.`, { file });
}
