import { gunzipSync } from "node:zlib";
import { AppError } from "../../errors.ts";
import type { TextReading } from "./architecture.ts";
import type { CheckpointFolder } from "./checkpoint-folder.ts";
import { clipBpe, vocabularyOfMerges } from "./clip-bpe.ts";
import { type ClipTokenizer, createTokenizer, lazyTokenizer } from "./tokenizer.ts";

const TOKENIZER = "tokenizer.json";
const VOCABULARY = "vocab.json";
const MERGES = "merges.txt";
const OPENAI_MERGES = "bpe_simple_vocab_16e6.txt";

/** Bytes; OpenAI's list of merges has three million. */
const LARGEST_MERGES = 64 * 1024 * 1024;

/** The files of a listing that `openTokenizer` would read. */
export function tokenizerFiles(files: readonly string[]): readonly string[] {
  const layouts = [[TOKENIZER], [VOCABULARY, MERGES], [`${OPENAI_MERGES}.gz`], [OPENAI_MERGES]];
  return layouts.find((layout) => layout.every((file) => files.includes(file))) ?? [];
}

/**
 * The tokenizer of a checkpoint: `tokenizer.json`, or CLIP's own byte-pair encoding by `vocab.json` and `merges.txt`
 * or by OpenAI's list of merges. It is built when it is first used, and fails then with INVALID_CHECKPOINT where the
 * file makes no sense; a file that is missing fails at once.
 */
export async function openTokenizer(folder: CheckpointFolder, tower: TextReading): Promise<ClipTokenizer> {
  const files = tokenizerFiles(folder.files);
  if (files.length === 0) throw noTokenizer(folder.name);
  const contents = await Promise.all(files.map((file) => folder.read(file)));
  return lazyTokenizer(tower, () => build(files, contents, tower));
}

function build(
  [file]: readonly string[],
  contents: readonly Uint8Array[],
  tower: TextReading,
): ClipTokenizer {
  const [first, second] = contents;
  if (file === TOKENIZER) return createTokenizer(parseJson(first, file), tower, file);
  if (file === VOCABULARY) {
    const merges = linesOf(decode(second, MERGES));
    return createTokenizer(clipBpe(parseVocabulary(first), merges, file), tower, file);
  }
  const text = decode(file.endsWith(".gz") ? unzip(first, file) : first, file);
  const { vocabulary, merges } = vocabularyOfMerges(linesOf(text), tower.vocabulary, file);
  return createTokenizer(clipBpe(vocabulary, merges, file), tower, file);
}

function parseVocabulary(bytes: Uint8Array): ReadonlyMap<string, number> {
  const json = parseJson(bytes, VOCABULARY);
  const isVocabulary = typeof json === "object" && json !== null && !Array.isArray(json);
  if (isVocabulary) return new Map(Object.entries(json as Record<string, number>));
  throw new AppError("INVALID_CHECKPOINT", `${VOCABULARY} must be a JSON object of tokens and their ids.`, {
    file: VOCABULARY,
  });
}

/** The merges of a file: its lines without the first, which names the version, and without empty ones. */
function linesOf(text: string): string[] {
  const lines = text.split("\n").map((line) => line.trimEnd());
  const first = /^(#version|"bpe_simple_vocab)/.test(lines[0]) ? 1 : 0;
  return lines.slice(first).filter((line) => line !== "");
}

function parseJson(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(decode(bytes, file));
  } catch (cause) {
    const message = `${file} is not valid JSON. Export it again.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file }, { cause });
  }
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError("INVALID_CHECKPOINT", `${file} is not UTF-8 text.`, { file }, { cause });
  }
}

function unzip(bytes: Uint8Array, file: string): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_MERGES });
  } catch (cause) {
    const message = `${file} is not a gzip file, or unpacks to more than ${LARGEST_MERGES} bytes.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file }, { cause });
  }
}

function noTokenizer(folder: string): AppError {
  const message = `The checkpoint folder "${folder}" has no tokenizer. Put ${TOKENIZER} there, or ${VOCABULARY} and ${MERGES}, or OpenAI's ${OPENAI_MERGES}.gz.`;
  return new AppError("INVALID_CHECKPOINT", message, { folder, file: TOKENIZER });
}
