import type { z } from "zod";
import { type LearnedTensors, TENSORS } from "../../engine/cbpt/prompt-tensors.ts";
import { mostSuspected } from "../../engine/cbpt/verdict.ts";
import { decodeFloats } from "../../engine/clip/float-decoding.ts";
import { parseSafetensors } from "../../engine/clip/safetensors.ts";
import type { SafetensorsHeader } from "../../engine/clip/safetensors-header.ts";
import { AppError } from "../../errors.ts";
import type { Manifest } from "../manifest.ts";
import type { Evidence } from "../prompts.ts";
import { type Bundle, tensorsDigest } from "./bundle.ts";
import { evidenceSchema, manifestSchema } from "./bundle-schema.ts";

/**
 * A bundle that agrees with itself: its manifest is understood, its tensors have the shapes and the digest that this
 * says, and are numbers. Fails with INVALID_BUNDLE, which says what is wrong; whether it fits a model is another matter.
 */
export function readBundle(bytes: Uint8Array): Bundle {
  const header = readHeader(bytes);
  const manifest = part(manifestSchema, header, "manifest") as Manifest | undefined;
  if (!manifest) throw invalid("It has no manifest among its metadata");
  const evidence = part(evidenceSchema, header, "evidence") as Evidence | undefined;
  const tensors = readTensors(bytes, header, manifest);
  const digest = tensorsDigest(tensors);
  if (digest !== manifest.tensors)
    throw invalid(
      `Its tensors are not those that its manifest names: they have ${digest}, not ${manifest.tensors}`,
      { found: digest, expected: manifest.tensors },
    );
  return { manifest, tensors, evidence };
}

function readHeader(bytes: Uint8Array): SafetensorsHeader {
  try {
    return parseSafetensors(bytes, "bundle");
  } catch (cause) {
    if (!(cause instanceof AppError)) throw cause;
    throw new AppError("INVALID_BUNDLE", `The bundle cannot be read. ${cause.message}`, {}, { cause });
  }
}

function part(schema: z.ZodType, { metadata }: SafetensorsHeader, name: string): unknown {
  if (!Object.hasOwn(metadata, name)) return undefined;
  const value = parseJson(metadata[name], name);
  const format = (value as { format?: unknown } | null)?.format;
  if (format === "antidote-prompts-1")
    throw invalid("It has format 1, whose tensors cannot be checked. Export it again from a newer version");
  const { success, error } = schema.safeParse(value);
  if (success) return value;
  const problems = error.issues.slice(0, 5).map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw invalid(`Its ${name} is not valid: ${problems.join("; ")}`, { problems });
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid(`Its ${name} is not JSON`);
  }
}

/** Recovery prompts are there whole or not at all. */
function readTensors(
  bytes: Uint8Array,
  header: SafetensorsHeader,
  { labels, contextTokens }: Manifest,
): LearnedTensors {
  const unknown = [...header.tensors.keys()].find((name) => !KNOWN.includes(name));
  if (unknown !== undefined) throw invalid(`It has a tensor "${unknown.slice(0, 80)}", which no bundle has`);
  const classes = labels.length;
  const read = (name: string, ...leading: number[]) => readTensor(bytes, header, name, leading);
  const learned = {
    classes,
    contextTokens,
    contexts: read(TENSORS.contexts, classes, contextTokens),
    features: read(TENSORS.features, classes),
    ...(header.tensors.has(TENSORS.suspected) ? { suspected: readSuspected(bytes, header, classes) } : {}),
  };
  if (!RECOVERY.some((name) => header.tensors.has(name))) return learned;
  const recovery = {
    contexts: read(TENSORS.recoveryContexts, classes, contextTokens),
    features: read(TENSORS.recoveryFeatures, classes),
  };
  if (
    recovery.contexts.length !== learned.contexts.length ||
    recovery.features.length !== learned.features.length
  )
    throw invalid("Its recovery prompts have not the widths of the others");
  return { ...learned, recovery };
}

const KNOWN: readonly string[] = Object.values(TENSORS);
const RECOVERY = [TENSORS.recoveryContexts, TENSORS.recoveryFeatures];

/**
 * A number for each label. A bundle that suspects more of them than an audit can would have images looked at again for
 * nothing.
 */
function readSuspected(bytes: Uint8Array, header: SafetensorsHeader, classes: number): Float32Array {
  const suspected = readTensor(bytes, header, TENSORS.suspected, []);
  const count = suspected.reduce((sum, one) => sum + one, 0);
  const most = mostSuspected(classes);
  const isMask = suspected.length === classes && suspected.every((one) => one === 0 || one === 1);
  if (isMask && count <= most) return suspected;
  throw invalid(
    `Its tensor "${TENSORS.suspected}" has to be a 0 or a 1 for each of ${classes} labels, 1 for at most ${most} of them`,
  );
}

/** The values [...leading, n] of a tensor, whatever n is. */
function readTensor(
  bytes: Uint8Array,
  { tensors }: SafetensorsHeader,
  name: string,
  leading: readonly number[],
): Float32Array {
  const entry = tensors.get(name);
  if (!entry) throw invalid(`It has no tensor "${name}"`);
  const { dtype, shape, offset, length } = entry;
  const fits = shape.length === leading.length + 1 && leading.every((size, axis) => size === shape[axis]);
  if (dtype !== "F32" || !fits || length === 0)
    throw invalid(
      `Its tensor "${name}" is ${dtype} [${shape}], but its manifest needs F32 [${[...leading, "n"].join(", ")}]: one row for each label`,
      { found: shape, expected: leading },
    );
  // A copy begins where its elements are aligned.
  const values = decodeFloats(
    dtype,
    Uint8Array.from(bytes.subarray(offset, offset + length)),
  ) as Float32Array;
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong < 0) return values;
  throw invalid(`Its tensor "${name}" has a value at ${wrong} that is not a finite number`, { place: wrong });
}

export function invalid(problem: string, details: Record<string, unknown> = {}): AppError {
  return new AppError("INVALID_BUNDLE", `The bundle is not valid. ${problem}.`, details);
}
