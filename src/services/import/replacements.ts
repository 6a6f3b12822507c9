import { readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { OVERRIDES_FILE } from "../../engine/clip/overrides.ts";
import { tokenizerFiles } from "../../engine/clip/tokenizer-files.ts";
import { AppError } from "../../errors.ts";

/** Paths that an operator names in place of what a source has. */
export interface ReplacementOptions {
  readonly config?: string;
  /** A file, or a folder that has one in any form. */
  readonly tokenizer?: string;
  readonly overrides?: string;
}

/** Files by the names that the layouts know them by. */
export type Replacements = ReadonlyMap<string, string>;

const CONFIGS = ["open_clip_config.json", "config.json"];
const MERGES = "bpe_simple_vocab_16e6.txt";
const TOKENIZERS = ["tokenizer.json", "vocab.json", "merges.txt", MERGES, `${MERGES}.gz`];

/** Fails with BAD_USER_INPUT naming the flag. */
export async function findReplacements(options: ReplacementOptions): Promise<Replacements> {
  const { config, tokenizer, overrides } = options;
  return new Map([
    ...(config === undefined ? [] : [await configuration(config)]),
    ...(tokenizer === undefined ? [] : await tokenizerOf(tokenizer)),
    ...(overrides === undefined ? [] : [[OVERRIDES_FILE, await fileAt(overrides, "--overrides")] as const]),
  ]);
}

/**
 * The listing with the replacements in it, and without what they replace: a configuration of either kind takes the
 * place of both. The same listing where nothing that a layout looks for is replaced.
 */
export function replaced(files: readonly string[], replacements: Replacements): readonly string[] {
  const added = [...replacements.keys()].filter((name) => name !== OVERRIDES_FILE);
  if (added.length === 0) return files;
  const gone = [CONFIGS, TOKENIZERS].filter((names) => names.some((name) => replacements.has(name))).flat();
  return [...files.filter((file) => !gone.includes(file)), ...added];
}

/** open_clip describes the width that both towers share; Hugging Face's configurations name a type. */
async function configuration(path: string): Promise<readonly [string, string]> {
  const place = await fileAt(path, "--config");
  const text = await readFile(place, "utf8");
  return [/"(embed_dim|model_cfg)"/.test(text) ? "open_clip_config.json" : "config.json", place];
}

async function tokenizerOf(path: string): Promise<readonly (readonly [string, string])[]> {
  const place = await realpath(path).catch(() => undefined);
  if (place === undefined || !(await stat(place)).isDirectory()) {
    const name = /\.txt(\.gz)?$/.exec(basename(path));
    return [[name ? MERGES + (name[1] ?? "") : "tokenizer.json", await fileAt(path, "--tokenizer")]];
  }
  const names = tokenizerFiles(await readdir(place));
  if (names.length === 0)
    throw new AppError(
      "BAD_USER_INPUT",
      `--tokenizer: the folder "${path}" has none of ${TOKENIZERS.join(", ")}.`,
    );
  return Promise.all(
    names.map(async (name) => [name, await fileAt(join(place, name), "--tokenizer")] as const),
  );
}

async function fileAt(path: string, flag: string): Promise<string> {
  const place = await realpath(path).catch(() => undefined);
  if (place && (await stat(place)).isFile()) return place;
  throw new AppError("BAD_USER_INPUT", `${flag}: there is no file "${path}".`);
}
