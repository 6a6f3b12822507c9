import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import { openCheckpoint } from "../../../src/engine/clip/checkpoint.ts";
import { openFolder } from "../../../src/engine/clip/checkpoint-folder.ts";
import { parseOpenClipArchitecture } from "../../../src/engine/clip/formats/open-clip-config.ts";
import { cleanText } from "../../../src/engine/clip/text-cleaning.ts";
import { createTokenizer } from "../../../src/engine/clip/tokenizer.ts";
import { openTokenizer } from "../../../src/engine/clip/tokenizer-files.ts";
import { FIXTURES, OPEN_CLIP_MODELS, readGolden, withFolder } from "./fixtures.ts";

const PROMPTS = ["a photo of a banana.", "the red dog", "a picture of a cat, a dog, a tree, a car, a banana"];
const START = 2;
const UNKNOWN = 1;
const END = 19;

/** As transformers writes it. */
const WORDS = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

describe("a word-level tokenizer", () => {
  test.each(OPEN_CLIP_MODELS)(
    "gives the ids that %s was asked with in PyTorch, cut to its context",
    async (model) => {
      const { tokenizer } = await openCheckpoint(join(FIXTURES, model));
      const { token_ids: golden } = await readGolden(model);
      const padded = PROMPTS.flatMap((prompt) => {
        const ids = tokenizer.encode(prompt);
        return [...ids, ...Array.from({ length: tokenizer.contextLength - ids.length }, () => 0)];
      });
      expect(padded).toEqual(golden);
    },
  );

  test("gives the ids of transformers, with a tower that leaves texts to it", async () => {
    const { tokenizer } = await openCheckpoint(join(FIXTURES, "hugging-face"));
    const golden: { text: string; ids: number[] }[] = JSON.parse(
      readFileSync(join(FIXTURES, "word-tokens.json"), "utf8"),
    );
    for (const { text, ids } of golden) expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
  });

  test("frames an empty text", async () => {
    expect((await small()).encode("")).toEqual([START, END]);
  });

  test("keeps unknown words as unknown", async () => {
    expect((await small()).encode("a zebra")).toEqual([START, 3, UNKNOWN, END]);
  });

  test("the last id is the end, however long the text", async () => {
    const ids = (await small()).encode("dog ".repeat(10_000));
    expect(ids).toHaveLength(12);
    expect(ids.indexOf(END)).toBe(11);
  });

  test.each([
    "a <end_of_text> dog",
    "a <END_OF_TEXT> dog",
    "a <start_of_text><pad> dog",
    "a &lt;end_of_text&gt; dog",
    "a ＜end_of_text＞ dog",
    "<unk> a dog <end_of_text>",
  ])("special tokens in a text are dropped: %s", async (text) => {
    expect((await small()).encode(text)).toEqual([START, 3, 11, END]);
  });

  test.each(["a <end_of<end_of_text>_text> dog", "<end_<pad>of_text>", "&amp;lt;pad&amp;gt;"])(
    "no special token can be put together: %s",
    async (text) => {
      const body = (await small()).encode(text).slice(1, -1);
      for (const id of [0, START, END]) expect(body).not.toContain(id);
    },
  );
});

describe("CLIP's own tokenizer", () => {
  const folder = process.env.CLIP_TOKENIZER ?? "../shared/data/clip";
  const present =
    existsSync(join(folder, "tokenizer.json")) && existsSync(join(folder, "golden-tokens.json"));
  const title = present
    ? "gives OpenAI's ids"
    : `skipped: put tokenizer.json and golden-tokens.json into ${folder}, or name their folder in CLIP_TOKENIZER`;

  (present ? test : test.skip)(title, () => {
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
    const tokenizer = createTokenizer(read("tokenizer.json"), clipTower());
    const all: { text: string; ids: number[] }[] = read("golden-tokens.json");
    // OpenAI lets a text contain special tokens; here they are dropped.
    const golden = all.filter(({ text }) => !text.includes("<|"));
    expect(tokenizer.encode("<|startoftext|> hello <|endoftext|>")).toEqual(tokenizer.encode("hello"));
    const wrong = golden.filter(({ text, ids }) => `${tokenizer.encode(text)}` !== `${ids}`);
    expect(wrong.map(({ text }) => text)).toEqual([]);
  });
});

describe("CLIP's own vocabulary on random texts", () => {
  interface Tokens {
    readonly text: string;
    readonly open_clip: number[];
    readonly tokenizers: number[];
  }
  const folder = process.env.CLIP_TOKENIZER ?? "../shared/data/clip";
  const present = existsSync(join(folder, "many-tokens.json"));
  const title = present
    ? "gives the libraries' ids for nearly all"
    : `skipped: make many-tokens.json with test/fixtures/clip/make-many-tokens.py, and name its folder in CLIP_TOKENIZER`;

  (present ? test : test.skip)(title, () => {
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
    const json: unknown = read("tokenizer.json");
    const all: Tokens[] = read("many-tokens.json");
    const openClip = createTokenizer(json, clipTower());
    const plain = createTokenizer(json, { ...clipTower(), cleaning: "none" });
    const wrong = {
      open_clip: all.filter(({ text, open_clip }) => `${openClip.encode(text)}` !== `${open_clip}`),
      tokenizers: all.filter(({ text, tokenizers }) => `${plain.encode(text)}` !== `${tokenizers}`),
    };
    // Wrongly decoded text, whose repair is a guess; names of entities in capitals; a capital sigma at a word's end.
    expect(wrong.open_clip.length).toBeLessThanOrEqual(4);
    expect(wrong.tokenizers.length).toBeLessThanOrEqual(1);
  });
});

describe("CLIP's byte-pair encoding, of a small vocabulary", () => {
  interface Tokens {
    readonly text: string;
    readonly open_clip: number[];
    readonly transformers: number[];
  }
  const folder = join(FIXTURES, "bpe");
  const golden: Tokens[] = JSON.parse(readFileSync(join(folder, "tokens.json"), "utf8"));
  const layouts = [["tokenizer.json"], ["vocab.json", "merges.txt"], ["bpe_simple_vocab_16e6.txt.gz"]];
  const tower = { ...clipTower(), vocabulary: 674 };

  test.each(layouts.map((files) => [files]))(
    "from %j gives the ids of open_clip and transformers",
    async (files) => {
      await withFolder(async (copy) => {
        for (const file of files) copyFileSync(join(folder, file), join(copy, file));
        const opened = await openFolder(copy);
        const openClip = await openTokenizer(opened, tower);
        const transformers = await openTokenizer(opened, { ...tower, cleaning: "none" });
        for (const { text, ...ids } of golden) {
          expect([text, openClip.encode(text)]).toEqual([text, ids.open_clip]);
          expect([text, transformers.encode(text)]).toEqual([text, ids.transformers]);
        }
      });
    },
  );

  test("from a list of merges in plain text", async () => {
    await withFolder(async (copy) => {
      const text = gunzipSync(readFileSync(join(folder, "bpe_simple_vocab_16e6.txt.gz")));
      writeFileSync(join(copy, "bpe_simple_vocab_16e6.txt"), text);
      const tokenizer = await openTokenizer(await openFolder(copy), tower);
      expect(tokenizer.encode(golden[2].text)).toEqual(golden[2].open_clip);
    });
  });

  test.each([
    ["vocab.json", "[]"],
    ["vocab.json", '{"a": 1}'],
    ["merges.txt", "#version: 0.2\na b c\n"],
  ])("a %s of %j is refused by name when it is first used", async (file, content) => {
    await withFolder(async (copy) => {
      for (const name of layouts[1]) copyFileSync(join(folder, name), join(copy, name));
      writeFileSync(join(copy, file), content);
      const tokenizer = await openTokenizer(await openFolder(copy), tower);
      expect(() => tokenizer.endToken).toThrow(expect.objectContaining({ code: "INVALID_CHECKPOINT" }));
    });
  });

  test("a list with too few merges for the model is refused", async () => {
    await withFolder(async (copy) => {
      copyFileSync(join(folder, layouts[2][0]), join(copy, layouts[2][0]));
      const tokenizer = await openTokenizer(await openFolder(copy), { ...tower, vocabulary: 49408 });
      expect(() => tokenizer.encode("a")).toThrow(/160 merges.*49408 tokens/);
    });
  });
});

describe("byte-pair encoding, end to end on a small vocabulary", () => {
  const json = {
    added_tokens: [
      { id: 7, content: "<|startoftext|>", special: true, normalized: false },
      { id: 8, content: "<|endoftext|>", special: true, normalized: false },
    ],
    normalizer: { type: "Lowercase" },
    pre_tokenizer: { type: "Split", pattern: { Regex: WORDS }, behavior: "Removed", invert: true },
    post_processor: { type: "RobertaProcessing", sep: ["<|endoftext|>", 8], cls: ["<|startoftext|>", 7] },
    decoder: null,
    model: {
      type: "BPE",
      unk_token: "<|endoftext|>",
      continuing_subword_prefix: "",
      end_of_word_suffix: "</w>",
      vocab: {
        a: 0,
        b: 1,
        "a</w>": 2,
        "b</w>": 3,
        ab: 4,
        "ab</w>": 5,
        "aba</w>": 6,
        "<|startoftext|>": 7,
        "<|endoftext|>": 8,
      },
      merges: ["a b", "a b</w>", "ab a</w>"],
    },
  };

  test("merges by rank", () => {
    expect(createTokenizer(json, clipTower()).encode("ABA ab b")).toEqual([7, 6, 5, 3, 8]);
  });

  test("an unknown token that is the end of text cannot end the text early", () => {
    expect(createTokenizer(json, clipTower()).encode("a zz b")).toEqual([7, 2, 3, 8]);
  });
});

describe("a tokenizer made to harm whoever uses it", () => {
  const ids = { start: 2, end: 3 };
  const made = (parts: object, { start, end } = ids, added: object[] = []) => ({
    added_tokens: [
      { id: start, content: "<s>", special: true },
      { id: end, content: "</s>", special: true },
      ...added,
    ],
    normalizer: null,
    pre_tokenizer: { type: "Whitespace" },
    post_processor: { type: "RobertaProcessing", sep: ["</s>", end], cls: ["<s>", start] },
    decoder: null,
    model: { type: "BPE", unk_token: "</s>", vocab: { a: 0, b: 1 }, merges: [] },
    ...parts,
  });
  const replace = (pattern: object, content: string) => ({ type: "Replace", pattern, content });
  const sequence = (...normalizers: object[]) => ({ normalizer: { type: "Sequence", normalizers } });
  const refusal = (message: RegExp) =>
    expect.objectContaining({ code: "INVALID_CHECKPOINT", message: expect.stringMatching(message) });

  test.each<[RegExp, object]>([
    [/pattern "\^\(a\+\)\+\$", which/, { normalizer: replace({ Regex: "^(a+)+$" }, "x") }],
    [/pattern "\(x\+x\+\)\+y", which/, sequence({ type: "NFC" }, replace({ Regex: "(x+x+)+y" }, " "))],
    [/pattern "y{79}…, which/, { pre_tokenizer: { type: "Split", pattern: { Regex: "y".repeat(5000) } } }],
    [/pattern \["a"\]/, { pre_tokenizer: { type: "Split", pattern: { Regex: ["a"] } } }],
    [/pattern "a\*"/, { decoder: replace({ Regex: "a*" }, "") }],
    [/by longer ones/, sequence(replace({ String: "a" }, "aa"), replace({ String: "a" }, "aa"))],
    [/by longer ones/, { pre_tokenizer: { type: "Metaspace", replacement: "   " } }],
    [/more than 64 steps/, sequence(...Array(100).fill({ type: "NFC" }))],
  ])("is refused, since it %s", (message, parts) => {
    expect(() => createTokenizer(made(parts), clipTower())).toThrow(refusal(message));
  });

  test.each([WORDS, `<\\|startoftext\\|>|<\\|endoftext\\|>|${WORDS}`, "\\s+", " {2,}"])(
    "may look for %s, as those of CLIP models do",
    (pattern) => {
      const split = { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated" };
      expect(createTokenizer(made({ pre_tokenizer: split }), clipTower()).encode("a")).toEqual([2, 0, 3]);
    },
  );

  test.each<[RegExp, number, { start: number; end: number }]>([
    [/starts texts with the id 3, but the model knows 3 tokens/, 3, { start: 3, end: 2 }],
    [/the model pools the highest id, and 4 exists/, 100, { start: 4, end: 3 }],
  ])("is refused for its ids, since it %s", (message, vocabulary, frame) => {
    expect(() => createTokenizer(made({}, frame), { ...clipTower(), vocabulary })).toThrow(refusal(message));
  });

  test.each<[RegExp, number]>([
    [/fills texts with the id 4, but the model knows 4 tokens/, 4],
    [/the model pools the highest id, and 4 exists/, 100],
  ])("is refused for the id of unknown words, since it %s", (message, vocabulary) => {
    const model = { type: "BPE", unk_token: "<unk>", vocab: { a: 0, b: 1 }, merges: [] };
    const json = made({ model }, ids, [{ id: 4, content: "<unk>", special: true }]);
    expect(() => createTokenizer(json, { ...clipTower(), vocabulary })).toThrow(refusal(message));
  });

  test.each([4_294_967_290, "4294967290"])("is refused for a list of tokens up to %j", (id) => {
    const model = { type: "BPE", unk_token: "</s>", vocab: { a: 0, b: id }, merges: [] };
    expect(() => createTokenizer(made({ model }), clipTower())).toThrow(refusal(/an id above/));
    expect(() => createTokenizer(made({}, ids, [{ id, content: "c" }]), clipTower())).toThrow(
      refusal(/an id above/),
    );
  });
});

test.each([
  ["  Two \t words\n", "lower", "two words"],
  ["Caf\u0065\u0301 &amp;amp; “tea”", "lower", 'café & "tea"'],
  ["ﬁne ＡＢＣ’s", "lower", "fine abc's"],
  ["Keep Case\u0007", "whitespace", "Keep Case"],
  ["a_big, RED (dog)!", "canonicalize", "a big red dog"],
  ["&#65;&#x42;&#0;&#xd800;", "whitespace", "AB\ufffd\ufffd"],
  ["&eacute;&Eacute; &copy2026 &nbspy &alpha;&Omega;&sigmaf;", "whitespace", "éÉ ©2026 y αΩς"],
  ["&amp;amp;amp;lt;b", "whitespace", "<b"],
  ["<b>&amp;amp;lt;", "whitespace", "<b>&lt;"],
  ["&#128;uro &#x99; &#1 x &#1;y", "whitespace", "€uro ™ x y"],
  ["AT&T; Q&A &unknown; &x; &ampamp;", "whitespace", "AT&T; Q&A &unknown; &x; &"],
] as const)("cleaning %j by %s", (text, cleaning, expected) => {
  expect(cleanText(text, cleaning)).toBe(expected);
});

async function small() {
  return (await openCheckpoint(join(FIXTURES, "resnet"))).tokenizer;
}

/** A text tower as CLIP's, as far as tokens go. */
function clipTower() {
  return parseOpenClipArchitecture({
    embed_dim: 4,
    vision_cfg: { layers: 1, width: 64 },
    text_cfg: { context_length: 77, vocab_size: 49408, width: 8, heads: 1, layers: 1 },
  }).text;
}
