import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readFloats, readSafetensors } from "../src/engine/clip/safetensors.ts";
import { AppError } from "../src/errors.ts";
import type { Quantity } from "./quantities.ts";
import type { Sketch } from "./sketch.ts";
import { SOURCE_FOLDER } from "./source-folder.ts";

/** CLIPs of the true architectures. */
export const FULL_MODELS = ["rn50", "vit-b-32", "vit-b-16", "hf-vit-b-32"] as const;
/** Made like them, but for their size: for the tests. */
export const TINY_MODELS = ["tiny-rn", "tiny-vit", "hf-tiny"] as const;

/** A tensor as the library has it: name, type (F32, or I64 of zeros) and shape. */
export type ListedTensor = readonly [name: string, type: "F32" | "I64", shape: readonly number[]];

export interface WeightsFile {
  readonly sha256: string;
  readonly tensors: readonly ListedTensor[];
}

/** What the library answered in float64, whole or as a sketch, and how far it was from that in float32. */
export interface Golden {
  readonly shape: readonly number[];
  readonly norm: number;
  readonly libraryError: number;
  readonly libraryCosineGap: number;
  readonly values: { readonly whole: Float32Array } | { readonly sketch: Sketch };
}

/** What make_golden.py wrote down of a model. */
export interface ParityModel {
  readonly name: string;
  /** Of the libraries that the golden values come from. */
  readonly versions: Readonly<Record<string, string>>;
  readonly weights: Readonly<Record<string, WeightsFile>>;
  /** Paths of the files that go into the model's folder as they are: configuration and tokenizer. */
  readonly plainFiles: readonly string[];
  readonly golden: Readonly<Record<Quantity, Golden>>;
}

/** Bytes of the model's weights. */
export const sizeOfWeights = ({ weights }: ParityModel): number =>
  Object.values(weights)
    .flatMap(({ tensors }) => tensors)
    .reduce((sum, tensor) => sum + bytesOf(tensor), 0);

export const bytesOf = ([, type, shape]: ListedTensor): number =>
  shape.reduce((product, extent) => product * extent, type === "I64" ? 8 : 4);

/** A model of the lists above. */
export async function readModel(name: string): Promise<ParityModel> {
  const folder = join(SOURCE_FOLDER, "models", name);
  const read = async (file: string) => JSON.parse(await readFile(join(folder, file), "utf8"));
  const { versions, quantities } = await read("golden.json");
  const files = await readdir(folder);
  return {
    name,
    versions,
    weights: await read("tensors.json"),
    plainFiles: files.filter((file) => !/^(golden|tensors)\./.test(file)).map((file) => join(folder, file)),
    golden: await readGolden(join(folder, "golden.safetensors"), quantities),
  };
}

/** A golden value that is small enough to be whole. */
export function wholeOf({ golden }: ParityModel, quantity: Quantity): Float32Array {
  const { values } = golden[quantity];
  if ("whole" in values) return values.whole;
  throw new AppError("INTERNAL", `Only a sketch of ${quantity} is kept.`, { quantity });
}

async function readGolden(
  path: string,
  quantities: Readonly<Record<Quantity, Omit<Golden, "values">>>,
): Promise<Record<Quantity, Golden>> {
  const file = await readSafetensors(path);
  const read = (name: string) => readFloats(file, name);
  const entries = Object.entries(quantities).map(async ([name, known]) => {
    if (file.tensors.has(name)) return [name, { ...known, values: { whole: await read(name) } }];
    const [projections, samples] = [await read(`${name}/projections`), await read(`${name}/samples`)];
    return [name, { ...known, values: { sketch: { projections, samples } } }];
  });
  return Object.fromEntries(await Promise.all(entries));
}
