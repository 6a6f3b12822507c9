/** The part of a `tokenizer.json` that says how tokens are spelled. */
interface Spelling {
  readonly pre_tokenizer?: unknown;
  readonly model?: { readonly end_of_word_suffix?: unknown };
}

/**
 * How a token reads: byte-level tokens as the text that their bytes are, and where words have a mark at their end, a
 * token that a word goes on after with a dash.
 */
export function wordReader(json: unknown): (token: string) => string {
  const { pre_tokenizer: split, model } = json as Spelling;
  const suffix = typeof model?.end_of_word_suffix === "string" ? model.end_of_word_suffix : "";
  const isByteLevel = JSON.stringify(split ?? null).includes('"ByteLevel"');
  return (token) => {
    const ends = suffix === "" || token.endsWith(suffix);
    const body = ends ? token.slice(0, token.length - suffix.length) : token;
    return (isByteLevel ? decodeBytes(body) : body) + (ends ? "" : "-");
  };
}

/** Bytes that byte-level encodings write as themselves, in Latin-1; the others follow from U+0100 on, in order. */
const isWrittenAsItself = (byte: number): boolean =>
  (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;

const BYTES: ReadonlyMap<string, number> = bytesOfCharacters();

function bytesOfCharacters(): Map<string, number> {
  const bytes = new Map<string, number>();
  let hidden = 0;
  for (let byte = 0; byte < 256; byte++)
    bytes.set(String.fromCharCode(isWrittenAsItself(byte) ? byte : 256 + hidden++), byte);
  return bytes;
}

function decodeBytes(token: string): string {
  const bytes = Uint8Array.from(token, (character) => BYTES.get(character) ?? 0x3f);
  return new TextDecoder().decode(bytes);
}
