import { gunzipSync } from "node:zlib";
import { AppError } from "../../errors.ts";
import { tokenizerOfMerges, tokenizerOfSimpleVocabulary } from "./byte-pair-encoding.ts";
import type { CheckpointFolder } from "./checkpoint-folder.ts";

const JSON_FILE = "tokenizer.json";
const VOCABULARY_FILE = "vocab.json";
const MERGES_FILE = "merges.txt";
const SIMPLE_FILE = "bpe_simple_vocab_16e6.txt";
const PACKED_FILE = `${SIMPLE_FILE}.gz`;

/** In the order in which they are preferred; of each set all must be there. */
const FORMS: readonly (readonly string[])[] = [
  [JSON_FILE],
  [VOCABULARY_FILE, MERGES_FILE],
  [PACKED_FILE],
  [SIMPLE_FILE],
];

/** Bytes; OpenAI's vocabulary has three million. */
const LARGEST_VOCABULARY = 64 * 1024 * 1024;

/** The files of a listing that `readTokenizerJson` would open; empty where there is no tokenizer among them. */
export function tokenizerFiles(files: readonly string[]): readonly string[] {
  return FORMS.find((form) => form.every((file) => files.includes(file))) ?? [];
}

/**
 * The JSON of the folder's tokenizer in Hugging Face's format: `tokenizer.json`, or made of `vocab.json` and `merges.txt`
 * or of OpenAI's `bpe_simple_vocab_16e6.txt`, packed or not. Throws INVALID_CHECKPOINT where there is none of them.
 */
export async function readTokenizerJson(folder: CheckpointFolder): Promise<unknown> {
  const [file] = tokenizerFiles(folder.files);
  if (file === JSON_FILE) return folder.readJson(file);
  if (file === undefined) throw missing(folder);
  const json =
    file === VOCABULARY_FILE
      ? tokenizerOfMerges(await folder.readJson(file), decode(await folder.read(MERGES_FILE), MERGES_FILE))
      : tokenizerOfSimpleVocabulary(decode(await readVocabulary(folder, file), file));
  if (json) return json;
  throw invalid(file, "is no vocabulary of byte pairs with CLIP's start and end of text");
}

async function readVocabulary(folder: CheckpointFolder, file: string): Promise<Uint8Array> {
  const bytes = await folder.read(file);
  if (file !== PACKED_FILE) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_VOCABULARY });
  } catch (cause) {
    throw invalid(file, "cannot be unpacked", cause);
  }
}

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid(file, "is not UTF-8", cause);
  }
}

function invalid(file: string, problem: string, cause?: unknown): AppError {
  return new AppError("INVALID_CHECKPOINT", `${file} ${problem}. Copy it again.`, { file }, { cause });
}

function missing({ name }: CheckpointFolder): AppError {
  const message = `The checkpoint folder "${name}" has no tokenizer. Put the ${JSON_FILE} that the model was trained with beside its weights, or ${VOCABULARY_FILE} and ${MERGES_FILE}; for OpenAI's models and those trained from open_clip's usual settings, ${PACKED_FILE} of the CLIP repository does.`;
  return new AppError("INVALID_CHECKPOINT", message, { file: JSON_FILE });
}
