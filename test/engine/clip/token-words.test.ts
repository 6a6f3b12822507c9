import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { wordReader } from "../../../src/engine/clip/token-words.ts";
import { createTokenizer } from "../../../src/engine/clip/tokenizer.ts";

const BYTE_LEVEL = { pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "ByteLevel" }] } };
const SUFFIXED = { model: { end_of_word_suffix: "</w>" } };

describe("a token reads", () => {
  test.each([
    ["cat</w>", "cat"],
    ["ban", "ban-"],
    ["cafÃ©</w>", "café"],
    ["Ġx</w>", " x"],
    ["ð\u0141ĺĥ</w>", "😃"],
    // A part of a character is no character.
    ["Ã", "\ufffd-"],
  ])("%s as %s where bytes are spelled and words have an end", (token, word) => {
    expect(wordReader({ ...BYTE_LEVEL, ...SUFFIXED })(token)).toBe(word);
  });

  test("as it is spelled where neither is so", () => {
    expect(wordReader({ model: {} })("Ã")).toBe("Ã");
  });
});

test("the words of a tokenizer leave its special tokens out", () => {
  const json = JSON.parse(readFileSync(join(__dirname, "../../fixtures/clip/bpe/tokenizer.json"), "utf8"));
  const ids = Object.values(json.model.vocab as Record<string, number>);
  const tokenizer = createTokenizer(json, {
    contextLength: 77,
    vocabulary: Math.max(...ids) + 1,
    width: 1,
    pooling: { kind: "argmax" },
    paddingToken: 0,
    cleaning: "whitespace",
  });
  const words = tokenizer.words();
  expect(words.size).toBe(ids.length - 2);
  expect([...words.values()].filter((word) => word.includes("</w>") || word.startsWith("<|"))).toEqual([]);
  const [, id] = tokenizer.encode("a");
  expect(words.get(id)).toBe("a");
});
