import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, constants, copyFile, mkdir, open, rename, rm, statfs, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { AppError } from "../src/errors.ts";
import { fillSpread, spreadOf } from "./generator.ts";
import { bytesOf, type ListedTensor, type ParityModel, sizeOfWeights, type WeightsFile } from "./model.ts";

/** Values made and written at once. */
const CHUNK = 1 << 20;
/** What a disk should have left beside the weights. */
const SPARE_BYTES = 64 * 1024 * 1024;

/**
 * Writes the model's folder as its library would, weights and all. Weights that are there already with the right
 * digest stay. Fails with INTERNAL where the weights are not those that the golden values were computed with.
 */
export async function makeModel(
  model: ParityModel,
  folder: string,
  advance: (bytes: number) => void = () => {},
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const path of model.plainFiles) await copyFile(path, join(folder, basename(path)));
  const files = Object.entries(model.weights);
  if (files.length > 1) await writeFile(join(folder, "model.safetensors.index.json"), indexOf(model));
  for (const [name, file] of files) {
    const path = join(folder, name);
    if ((await digestOf(path)) === file.sha256) advance(sum(file.tensors.map(bytesOf)));
    else await writeWeights(path, file, advance);
  }
}

/**
 * Fails with INVALID_CONFIGURATION where the folder cannot be made or the weights do not fit into it: the largest, or
 * all of them where they are to stay.
 */
export async function requireSpace(
  folder: string,
  models: readonly ParityModel[],
  keep: boolean,
): Promise<void> {
  await makeFolder(folder);
  const { bavail, bsize } = await statfs(folder);
  const sizes = models.map(sizeOfWeights);
  const needed = (keep ? sum(sizes) : Math.max(...sizes)) + SPARE_BYTES;
  if (bavail * bsize >= needed) return;
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
  const message = `The models need ${megabytes(needed)} in ${folder}, and ${megabytes(bavail * bsize)} are free. Free some, or choose another folder with --cache.`;
  throw new AppError("INVALID_CONFIGURATION", message, { needed, free: bavail * bsize });
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (cause) {
    const message = `The models cannot be made in ${folder}: ${(cause as Error).message}. Choose another folder with --cache.`;
    throw new AppError("INVALID_CONFIGURATION", message, { folder }, { cause });
  }
}

/** Under another name until it is whole and right, so that what is interrupted is never taken for a model. */
async function writeWeights(
  path: string,
  file: WeightsFile,
  advance: (bytes: number) => void,
): Promise<void> {
  const partial = `${path}.partial`;
  const hash = createHash("sha256");
  const handle = await open(partial, "w");
  try {
    for (const bytes of contentOf(file)) {
      hash.update(bytes);
      await handle.writeFile(bytes);
      advance(bytes.length);
    }
  } finally {
    await handle.close();
  }
  if (hash.digest("hex") !== file.sha256) {
    await rm(partial);
    const message = `The generated ${basename(path)} is not what the golden values were computed with. Compare parity/generator.ts with generator.py, and run make_golden.py again after a change.`;
    throw new AppError("INTERNAL", message, { file: basename(path), expected: file.sha256 });
  }
  await rename(partial, path);
}

/** The bytes of a safetensors file, in pieces. */
function* contentOf({ tensors }: WeightsFile): Generator<Uint8Array> {
  yield headerOf(tensors);
  const values = new Float32Array(CHUNK);
  for (const tensor of tensors) {
    const [name, type, shape] = tensor;
    if (type === "I64") {
      yield new Uint8Array(bytesOf(tensor));
      continue;
    }
    const count = bytesOf(tensor) / 4;
    const spread = spreadOf(name, shape);
    for (let start = 0; start < count; start += CHUNK) {
      const part = values.subarray(0, Math.min(CHUNK, count - start));
      fillSpread(part, name, spread, start);
      yield new Uint8Array(part.buffer, 0, part.byteLength);
    }
  }
}

/** As PyTorch's savers have it: padded with spaces to a multiple of eight bytes. */
function headerOf(tensors: readonly ListedTensor[]): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const tensor of tensors) {
    const [name, dtype, shape] = tensor;
    const begin = end;
    end += bytesOf(tensor);
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const bytes = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  bytes.writeBigUInt64LE(BigInt(bytes.length - 8));
  json.copy(bytes, 8);
  return bytes;
}

/** Which file each tensor of a model in several files is in. */
function indexOf(model: ParityModel): string {
  const pairs = Object.entries(model.weights).flatMap(([file, { tensors }]) =>
    tensors.map(([name]) => [name, file] as const),
  );
  const index = { metadata: { total_size: sizeOfWeights(model) }, weight_map: Object.fromEntries(pairs) };
  return `${JSON.stringify(index, null, 2)}\n`;
}

/** SHA-256; nothing where there is no such file. */
async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path, { highWaterMark: CHUNK }), hash);
    return hash.digest("hex");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
