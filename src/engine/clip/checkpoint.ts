import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { lstat, readFile, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { AppError } from "../../errors.ts";
import { type ClipArchitecture, parseArchitecture } from "./architecture.ts";
import { expectedTensors } from "./expected-tensors.ts";
import { type Preprocessing, parsePreprocessing } from "./preprocessing.ts";
import { elementType, readFloats, readSafetensors, type SafetensorsFile } from "./safetensors.ts";
import type { TensorEntry } from "./safetensors-header.ts";
import { type ClipTokenizer, createTokenizer } from "./tokenizer.ts";

const CONFIG_FILE = "open_clip_config.json";
const WEIGHTS_FILE = "open_clip_model.safetensors";
const TOKENIZER_FILE = "tokenizer.json";

/** Bytes; CLIP's own tokenizer has four million. */
const LARGEST_JSON = 64 * 1024 * 1024;

/** An open_clip folder, read and checked. The weights stay in their file. */
export interface Checkpoint {
  /** The folder's name. */
  readonly name: string;
  /** Absolute, without symbolic links. */
  readonly folder: string;
  /** Of the weights, within the folder. */
  readonly weightsFile: string;
  /** SHA-256 of the weights' file, in hexadecimal. */
  readonly digest: string;
  readonly architecture: ClipArchitecture;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** What the text tower's tensors begin with: "text." where the model was made with a custom text class. */
  readonly textPrefix: "" | "text.";
  /** Tensors that no tower reads: worth a warning. */
  readonly unusedTensors: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly tokenizer: ClipTokenizer;
  /** The factor of the cosines, already exponentiated. */
  readonly logitScale: number;
}

/**
 * Opens a folder with `open_clip_config.json`, `open_clip_model.safetensors` and `tokenizer.json`. Everything that
 * the networks need is checked here. Throws INVALID_CHECKPOINT naming the file, and the tensor where it is about one,
 * or UNSUPPORTED_ARCHITECTURE naming the key of the configuration.
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const root = await resolveFolder(folder);
  const config = await readJson(root, CONFIG_FILE);
  const architecture = parseArchitecture(config);
  const preprocessing = parsePreprocessing(config, architecture.image.imageSize);
  const weights = await openWeights(root);
  const textPrefix = weights.tensors.has("text.token_embedding.weight") ? "text." : "";
  const unusedTensors = checkTensors(weights, architecture, textPrefix);
  const logitScale = await readLogitScale(weights);
  const tokenizer = createTokenizer(await readJson(root, TOKENIZER_FILE), architecture.text);
  return {
    name: basename(root),
    folder: root,
    weightsFile: WEIGHTS_FILE,
    digest: await digestOf(weights.path),
    architecture,
    tensors: weights.tensors,
    textPrefix,
    unusedTensors,
    preprocessing,
    tokenizer,
    logitScale,
  };
}

async function resolveFolder(folder: string): Promise<string> {
  const name = basename(folder);
  try {
    const root = await realpath(folder);
    if ((await lstat(root)).isDirectory()) return root;
  } catch (cause) {
    const message = `The checkpoint folder "${name}" cannot be opened. Check that it exists and may be read.`;
    throw new AppError("INVALID_CHECKPOINT", message, { folder: name }, { cause });
  }
  throw new AppError("INVALID_CHECKPOINT", `The checkpoint "${name}" is not a folder.`, { folder: name });
}

/** The size of a regular file. The runtime refuses weights behind a symbolic link, so links are refused here. */
async function sizeOfFile(folder: string, file: string): Promise<number> {
  try {
    const status = await lstat(join(folder, file));
    if (status.isFile()) return status.size;
  } catch (cause) {
    const message = `${file} is missing in the checkpoint folder "${basename(folder)}", or may not be read. A checkpoint has ${CONFIG_FILE}, ${WEIGHTS_FILE} and ${TOKENIZER_FILE}.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file }, { cause });
  }
  const message = `${file} is not a regular file. Replace a symbolic link by the file itself.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file });
}

async function readJson(folder: string, file: string): Promise<unknown> {
  const size = await sizeOfFile(folder, file);
  if (size > LARGEST_JSON) {
    throw new AppError("INVALID_CHECKPOINT", `${file} has ${size} bytes; the limit is ${LARGEST_JSON}.`, {
      file,
    });
  }
  try {
    const bytes = await readFile(join(folder, file));
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new AppError(
      "INVALID_CHECKPOINT",
      `${file} is not valid JSON. Export it again.`,
      { file },
      { cause },
    );
  }
}

async function openWeights(folder: string): Promise<SafetensorsFile> {
  await sizeOfFile(folder, WEIGHTS_FILE);
  return readSafetensors(join(folder, WEIGHTS_FILE));
}

/** Checks every tensor that the towers read; returns the names of those that they do not. */
function checkTensors(
  weights: SafetensorsFile,
  architecture: ClipArchitecture,
  textPrefix: string,
): string[] {
  const unused = new Set(weights.tensors.keys());
  for (const [name, shape] of expectedTensors(architecture, textPrefix)) {
    checkTensor(weights.tensors.get(name), name, shape);
    unused.delete(name);
  }
  return [...unused].filter((name) => !isBookkeeping(name));
}

function checkTensor(entry: TensorEntry | undefined, name: string, expected: readonly number[]): void {
  const fail = (problem: string, facts: Record<string, unknown> = {}) =>
    new AppError(
      "INVALID_CHECKPOINT",
      `${WEIGHTS_FILE}: tensor "${name}" ${problem}. The weights do not fit ${CONFIG_FILE}.`,
      { file: WEIGHTS_FILE, tensor: name, expected, ...facts },
    );
  if (!entry) throw fail(`is missing; its shape would be [${expected}]`);
  if (!FLOATING.has(elementType(entry) ?? "")) {
    throw fail(`has type ${entry.dtype}; F32, F16, BF16 or F64 was expected`, { dtype: entry.dtype });
  }
  const sameShape =
    entry.shape.length === expected.length && entry.shape.every((size, axis) => size === expected[axis]);
  if (!sameShape) {
    throw fail(`has shape [${entry.shape}], but [${expected}] was expected`, { found: entry.shape });
  }
}

const FLOATING: ReadonlySet<string> = new Set(["float32", "float16", "bfloat16", "float64"]);

/** Tensors that open_clip stores and inference does not need. */
function isBookkeeping(name: string): boolean {
  return name === "logit_scale" || name === "logit_bias" || name.endsWith(".num_batches_tracked");
}

async function readLogitScale(weights: SafetensorsFile): Promise<number> {
  const entry = weights.tensors.get("logit_scale");
  checkTensor(entry, "logit_scale", entry?.shape.length === 1 ? [1] : []);
  const scale = Math.exp((await readFloats(weights, "logit_scale"))[0]);
  if (Number.isFinite(scale) && scale > 0) return scale;
  const message = `${WEIGHTS_FILE}: tensor "logit_scale" is not a usable number.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file: WEIGHTS_FILE, tensor: "logit_scale" });
}

function digestOf(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    createReadStream(path, { highWaterMark: 1024 * 1024 })
      .on("data", (chunk) => hash.update(chunk))
      .on("end", () => resolve(hash.digest("hex")))
      .on("error", reject);
  });
}
