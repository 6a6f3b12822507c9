import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import {
  isMap,
  isRecord,
  isTensor,
  type PlainTensor,
  type PlainValue,
} from "../../../src/engine/pickle/index.ts";
import { readPytorchFile } from "../../../src/engine/pickle/pytorch-file.ts";
import { type ZipEntry, zip } from "../../support/zip.ts";

const FIXTURES = join(__dirname, "../../fixtures/pickle");
export const BENIGN = join(FIXTURES, "benign");
export const benignFiles = readdirSync(BENIGN);

interface Expected {
  readonly dtype: string;
  readonly shape: number[];
  readonly layout: string;
  readonly sha256: string;
}

/** What PyTorch says of the tensors that the benign files hold. */
export const expected: Record<"state" | "module" | "scripted", Record<string, Expected>> = JSON.parse(
  readFileSync(join(FIXTURES, "benign.json"), "utf8"),
);

export interface Malicious {
  readonly name: string;
  readonly code: string;
  /** A part of the message. */
  readonly names: string;
  readonly layouts: readonly ("zip" | "legacy")[];
  readonly pickle: Buffer;
}

const corpus = JSON.parse(readFileSync(join(FIXTURES, "malicious.json"), "utf8"));

export const malicious: readonly Malicious[] = corpus.pickles.map((row: Record<string, unknown>) => ({
  ...row,
  pickle: inflateSync(Buffer.from(row.pickle as string, "base64")),
}));

/** The zip layout around a pickle, with one storage of 16 bytes. */
export function zipEntries(pickle: Uint8Array): ZipEntry[] {
  return [
    { name: "archive/data.pkl", bytes: pickle },
    { name: "archive/byteorder", bytes: Buffer.from("little") },
    { name: "archive/data/0", bytes: Buffer.alloc(16) },
    { name: "archive/version", bytes: Buffer.from("3\n") },
  ];
}

/** The layout before PyTorch 1.6 around a pickle, with no storages. */
export function legacyFile(pickle: Uint8Array): Buffer {
  const part = (name: string) => Buffer.from(corpus.legacy[name], "base64");
  return Buffer.concat([part("head"), pickle, part("tail")]);
}

export const wrapped = (pickle: Uint8Array, layout: "zip" | "legacy"): Buffer =>
  layout === "zip" ? zip(zipEntries(pickle)) : legacyFile(pickle);

/** Reads these bytes as a file of that name. */
export async function readBytes(bytes: Uint8Array, name = "model.pt") {
  const folder = await mkdtemp(join(tmpdir(), "antidote-"));
  try {
    await writeFile(join(folder, name), bytes);
    return await readPytorchFile(join(folder, name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The tensors of a tree by the path to them. */
export function tensorsOf(value: PlainValue, path = ""): Record<string, PlainTensor> {
  if (isTensor(value)) return { [path]: value };
  const entries = isMap(value) ? value : isRecord(value) ? value.fields : new Map<string, PlainValue>();
  const parts = [...entries].map(([key, item]) => tensorsOf(item, path ? `${path}.${key}` : String(key)));
  return Object.assign({}, ...parts);
}

const WIDTHS: Record<string, number> = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, BOOL: 1 };

/** The digest of a tensor's values, row by row, whatever its strides. */
export function digestOf(tensor: PlainTensor, file: Buffer): string {
  const { shape, strides, offset, length, dtype } = tensor;
  const bytes = file.subarray(offset, offset + length);
  const width = WIDTHS[dtype];
  const hash = createHash("sha256");
  const visit = (axis: number, position: number): void => {
    if (axis === shape.length) hash.update(bytes.subarray(position * width, (position + 1) * width));
    else for (let at = 0; at < shape[axis]; at++) visit(axis + 1, position + at * strides[axis]);
  };
  visit(0, 0);
  return hash.digest("hex");
}
