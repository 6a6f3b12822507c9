import type { TextCleaning } from "./architecture.ts";
import { unescapeEntities, unescapePlainEntities } from "./html-entities.ts";

/**
 * Prepares a text for the tokenizer as open_clip does: repairs what can be repaired without guessing (entities,
 * quotes, ligatures, full-width forms, control characters, composition), joins white space, and then by the way of
 * cleaning lower-cases or also drops punctuation. Wrongly decoded text ("cafÃ©") is left as it is.
 */
export function cleanText(text: string, cleaning: TextCleaning): string {
  if (cleaning === "none") return text;
  const joined = joinWhitespace(unescapeEntities(unescapeEntities(repair(unescapePlainEntities(text)))));
  if (cleaning === "whitespace") return joined;
  if (cleaning === "lower") return joined.toLowerCase();
  const words = joined.replaceAll("_", " ").replace(/[!-/:-@[-`{-~]/g, "");
  return joinWhitespace(words.toLowerCase());
}

function repair(text: string): string {
  return text
    .normalize("NFC")
    .replace(/[\u2018-\u201b\u02bc]/g, "'")
    .replace(/[\u201c-\u201f]/g, '"')
    .replace(/[\ufb00-\ufb06\u0132\u0133\u01c4-\u01cc\u01f1-\u01f3\uff01-\uffee\u3000]/g, (character) =>
      character.normalize("NFKC"),
    )
    .replace(CONTROL_CHARACTERS, "");
}

// Built from code points: these characters have no place in a source file. Tab, line feed, form feed and carriage
// return stay, as white space.
const CONTROL_CHARACTERS = new RegExp(
  `[${[
    [0x00, 0x08],
    [0x0b, 0x0b],
    [0x0e, 0x1f],
    [0x7f, 0x7f],
    [0x206a, 0x206f],
    [0xfeff, 0xfeff],
    [0xfff9, 0xfffc],
  ]
    .map(([first, last]) => `${String.fromCharCode(first)}-${String.fromCharCode(last)}`)
    .join("")}]`,
  "g",
);

function joinWhitespace(text: string): string {
  return text.split(/\s+/).filter(Boolean).join(" ");
}
