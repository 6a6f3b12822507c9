/**
 * CLIP's own tokenizer (Radford et al. 2021, after Sennrich et al. 2016, arXiv:1508.07909), as the JSON of a
 * `tokenizer.json`, from the forms in which it was published before that format.
 */

const START = "<|startoftext|>";
const END = "<|endoftext|>";
const WORD_END = "</w>";

/** OpenAI's list has merges for far more tokens than its models have. */
const MERGES = 49152 - 256 - 2;

/** Of `vocab.json` and `merges.txt`. Undefined where the vocabulary is none, or has no start or end of text. */
export function tokenizerOfMerges(vocabulary: unknown, merges: string): object | undefined {
  const lines = merges.split("\n").map((line) => line.replace(/\r$/, ""));
  const pairs = lines.filter((line) => line !== "" && !line.startsWith("#version"));
  return describe(vocabulary, pairs.map(pairOf));
}

/**
 * Of `bpe_simple_vocab_16e6.txt`: a line of version, then merges in their order. The ids follow from it: each byte,
 * each byte at the end of a word, each merge, the start and the end.
 */
export function tokenizerOfSimpleVocabulary(text: string): object | undefined {
  const lines = text.split("\n").slice(1, MERGES + 1);
  const pairs = lines.filter((line) => line !== "").map(pairOf);
  const bytes = byteCharacters();
  const joined = pairs.map((pair) => pair.join(""));
  const tokens = [...bytes, ...bytes.map((byte) => byte + WORD_END), ...joined, START, END];
  return describe(Object.fromEntries(tokens.map((token, id) => [token, id])), pairs);
}

const pairOf = (line: string): string[] => line.split(" ");

/**
 * A printable character for each byte: those that print stand for themselves and come first, the others follow from
 * U+0100 on (Radford et al. 2019, GPT-2).
 */
function byteCharacters(): string[] {
  const prints = (byte: number) => (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  const printing = bytes.filter(prints);
  const others = bytes.length - printing.length;
  return [...printing, ...Array.from({ length: others }, (_, index) => 0x100 + index)].map((code) =>
    String.fromCharCode(code),
  );
}

function describe(vocabulary: unknown, merges: readonly string[][]): object | undefined {
  if (typeof vocabulary !== "object" || vocabulary === null || merges.some(({ length }) => length !== 2)) {
    return undefined;
  }
  const ids = vocabulary as Readonly<Record<string, unknown>>;
  const [start, end] = [ids[START], ids[END]];
  if (!Number.isInteger(start) || !Number.isInteger(end)) return undefined;
  return {
    added_tokens: [
      { id: start, content: START, special: true, normalized: false },
      { id: end, content: END, special: true, normalized: false },
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
        { type: "ByteLevel", add_prefix_space: false, use_regex: false },
      ],
    },
    post_processor: {
      type: "RobertaProcessing",
      sep: [END, end],
      cls: [START, start],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: "ByteLevel" },
    model: {
      type: "BPE",
      unk_token: END,
      continuing_subword_prefix: "",
      end_of_word_suffix: WORD_END,
      vocab: ids,
      merges,
    },
  };
}

/** English clitics, runs of letters, single digits, runs of anything else that is no space. */
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
