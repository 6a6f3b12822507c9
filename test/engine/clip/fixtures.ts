import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFloats, readRange, readSafetensors } from "../../../src/engine/clip/safetensors.ts";
import type { Random } from "../../../src/engine/random.ts";

export const FIXTURES = join(__dirname, "../../fixtures/clip");

/** The small checkpoints that test/fixtures/clip/make.py makes with open_clip. */
export const OPEN_CLIP_MODELS = ["resnet", "vit", "vit-16-bit", "vit-mean", "vit-norm-of-mean"] as const;

/** Those that make-hugging-face.py makes with transformers. */
export const HUGGING_FACE_MODELS = [
  "hugging-face",
  "hugging-face-sharded",
  "hugging-face-fp16",
  "hugging-face-bf16",
] as const;

export const MODELS = [...OPEN_CLIP_MODELS, ...HUGGING_FACE_MODELS] as const;

/** What the library computes from one of them: values by name, floats or whole numbers. */
export async function readGolden(model: string): Promise<Record<string, number[]>> {
  const file = await readSafetensors(join(FIXTURES, model, "golden.safetensors"));
  const values = async (name: string): Promise<number[]> => {
    const entry = file.tensors.get(name)!;
    if (entry.dtype !== "I64") return Array.from(await readFloats(file, name));
    const bytes = await readRange(file.path, entry.offset, entry.length);
    return Array.from(new BigInt64Array(bytes.buffer), Number);
  };
  const names = [...file.tensors.keys()];
  const read = await Promise.all(names.map(values));
  return Object.fromEntries(names.map((name, index) => [name, read[index]]));
}

/** A copy of a checkpoint that a test may damage; gone after it. */
export async function withCopy<Result>(
  model: string,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  return withFolder(async (folder) => {
    await cp(join(FIXTURES, model), join(folder, model), { recursive: true });
    return use(join(folder, model));
  });
}

export async function withFolder<Result>(use: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** ‖a − b‖ / ‖b‖ */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const difference = Array.from(a, (value, index) => value - b[index]);
  return norm(difference) / norm(b);
}

export function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const product = Array.from(a, (value, index) => value * b[index]).reduce((sum, value) => sum + value, 0);
  return product / norm(a) / norm(b);
}

function norm(values: ArrayLike<number>): number {
  return Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0));
}

/** Some bytes near the start, where the headers are, replaced by others that keep much of the syntax whole. */
export function randomlyDamaged(whole: Buffer, random: Random): Buffer {
  const copy = Buffer.from(whole);
  const alphabet = Buffer.from('019-.e"{}[],:ntrFIUx \u0000');
  for (let change = 0; change <= random.below(4); change++) {
    copy[random.below(Math.min(copy.length, 6000))] = alphabet[random.below(alphabet.length)];
  }
  return random.uniform() < 0.2 ? copy.subarray(0, random.below(copy.length)) : copy;
}
