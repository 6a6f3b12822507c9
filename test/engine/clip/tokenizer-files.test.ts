import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "@jest/globals";
import { openFolder } from "../../../src/engine/clip/checkpoint-folder.ts";
import { parseOpenClipArchitecture } from "../../../src/engine/clip/formats/open-clip-config.ts";
import { createTokenizer } from "../../../src/engine/clip/tokenizer.ts";
import { readTokenizerJson, tokenizerFiles } from "../../../src/engine/clip/tokenizer-files.ts";
import { withFolder } from "./fixtures.ts";

const MERGES = ["c a", "ca t</w>", "d o", "do g</w>", "Ã ©</w>"];
const SIMPLE = ['"bpe_simple_vocab_16e6.txt#version: 0.2', ...MERGES, ""].join("\n");
const [START, END] = [512 + MERGES.length, 513 + MERGES.length];
/** Bytes that print come first, in their order from "!"; then all of them again, as ends of words. */
const idOf = (character: string, last = false): number => character.charCodeAt(0) - 0x21 + (last ? 256 : 0);

describe("OpenAI's list of merges", () => {
  test.each([
    ["bpe_simple_vocab_16e6.txt", Buffer.from(SIMPLE)],
    ["bpe_simple_vocab_16e6.txt.gz", gzipSync(SIMPLE)],
  ])("in %s", async (file, content) => {
    const encode = await tokenizerOf({ [file]: content });
    expect(encode("Cat, dog 7")).toEqual([START, 513, idOf(",", true), 515, idOf("7", true), END]);
    expect(encode("DOGS")).toEqual([START, 514, idOf("g"), idOf("s", true), END]);
    expect(encode("é")).toEqual([START, 516, END]);
  });

  test("gives the same ids as vocab.json and merges.txt", async () => {
    const simple = await readWith({ "bpe_simple_vocab_16e6.txt": Buffer.from(SIMPLE) });
    const { model } = simple as { model: { vocab: object } };
    const pair = {
      "vocab.json": Buffer.from(JSON.stringify(model.vocab)),
      "merges.txt": Buffer.from(`#version: 0.2\r\n${MERGES.join("\r\n")}\r\n`),
    };
    expect(await readWith(pair)).toEqual(simple);
  });
});

test("a tokenizer.json is preferred", async () => {
  expect(await readWith({ "tokenizer.json": Buffer.from("[1]"), "vocab.json": Buffer.from("{}") })).toEqual([
    1,
  ]);
  expect(tokenizerFiles(["merges.txt", "vocab.json", "bpe_simple_vocab_16e6.txt.gz"])).toEqual([
    "vocab.json",
    "merges.txt",
  ]);
  expect(tokenizerFiles(["vocab.json", "model.pt"])).toEqual([]);
});

test.each([
  ["no tokenizer", {}, "tokenizer.json", /no tokenizer.*bpe_simple_vocab_16e6\.txt\.gz/],
  ["a vocabulary without merges", { "vocab.json": "{}" }, "tokenizer.json", /no tokenizer/],
  ["a vocabulary without an end", { "vocab.json": "{}", "merges.txt": "a b" }, "vocab.json", /start and end/],
  [
    "merges of three",
    { "bpe_simple_vocab_16e6.txt": "#\na b c" },
    "bpe_simple_vocab_16e6.txt",
    /no vocabulary/,
  ],
  [
    "what is not packed",
    { "bpe_simple_vocab_16e6.txt.gz": SIMPLE },
    "bpe_simple_vocab_16e6.txt.gz",
    /unpacked/,
  ],
])("%s is told by name", async (_, files, file, message) => {
  const contents = Object.entries(files).map(([name, text]) => [name, Buffer.from(text)]);
  await expect(readWith(Object.fromEntries(contents))).rejects.toMatchObject({
    code: "INVALID_CHECKPOINT",
    message: expect.stringMatching(message),
    details: { file },
  });
});

describe("CLIP's own vocabulary", () => {
  const folder = process.env.CLIP_TOKENIZER ?? "../shared/data/clip";
  const needed = ["tokenizer.json", "golden-tokens.json"].map((file) => join(folder, file));
  const present = needed.every(existsSync);
  const title = present
    ? "follows from the list of merges, and gives OpenAI's ids"
    : `skipped: put tokenizer.json and golden-tokens.json into ${folder}, or name their folder in CLIP_TOKENIZER`;

  (present ? test : test.skip)(title, async () => {
    const [official, golden] = needed.map((file) => JSON.parse(readFileSync(file, "utf8")));
    const lines = official.model.merges.map((pair: string[]) => pair.join(" "));
    // The published list goes on for long after the merges that a model knows.
    const text = ["#version: 0.2", ...lines, "z zz", "zz z"].join("\n");
    const files = { "bpe_simple_vocab_16e6.txt.gz": gzipSync(text) };
    const made = (await readWith(files)) as { model: { vocab: object } };
    expect(made.model.vocab).toEqual(official.model.vocab);
    const encode = await tokenizerOf(files);
    const plain: { text: string; ids: number[] }[] = golden.filter(
      (row: { text: string }) => !row.text.includes("<|"),
    );
    expect(plain.length).toBeGreaterThan(20);
    expect(plain.filter((row) => `${encode(row.text)}` !== `${row.ids}`)).toEqual([]);
  });
});

function readWith(files: Readonly<Record<string, Uint8Array>>): Promise<unknown> {
  return withFolder(async (folder) => {
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    return readTokenizerJson(await openFolder(folder));
  });
}

async function tokenizerOf(files: Readonly<Record<string, Uint8Array>>): Promise<(text: string) => number[]> {
  const { text: tower } = parseOpenClipArchitecture({
    embed_dim: 4,
    vision_cfg: { layers: 1, width: 64 },
    text_cfg: { context_length: 77, vocab_size: 49408, width: 8, heads: 1, layers: 1 },
  });
  const { encode } = createTokenizer(await readWith(files), tower);
  return encode;
}
