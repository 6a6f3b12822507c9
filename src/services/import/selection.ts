import { posix } from "node:path";
import type { CheckpointFormat } from "../../engine/clip/formats/format.ts";
import { FORMATS } from "../../engine/clip/formats/index.ts";
import { AppError } from "../../errors.ts";

/** A file of a source, and the name that it has in the model's folder. */
export interface Chosen {
  readonly from: string;
  readonly to: string;
}

export interface Selection {
  /** The layout's name. */
  readonly format: string;
  readonly files: readonly Chosen[];
  readonly leftOut: readonly string[];
}

/** What the layouts call a lone file of weights, by its extension. */
const USUAL_NAMES: Readonly<Record<string, readonly string[]>> = {
  ".safetensors": ["open_clip_model.safetensors", "model.safetensors"],
  ".onnx": ["model.onnx", "onnx/model.onnx"],
  ".pt": ["model.pt", "open_clip_pytorch_model.bin", "pytorch_model.bin"],
  ".pth": ["model.pt", "open_clip_pytorch_model.bin", "pytorch_model.bin"],
  ".ckpt": ["model.pt", "open_clip_pytorch_model.bin", "pytorch_model.bin"],
  ".bin": ["open_clip_pytorch_model.bin", "pytorch_model.bin", "model.pt"],
};

const SIDECAR = /\.(json|txt|txt\.gz)$/;

/** Ways to keep weights, each of which several layouts may use. */
const KINDS: Readonly<Record<string, RegExp>> = {
  safetensors: /\.safetensors$/,
  onnx: /\.onnx$/,
  pickled: /\.(pt|pth|ckpt|bin)$/,
};

export const isWeightsFile = (name: string): boolean => posix.extname(name) in USUAL_NAMES;

/**
 * The files of a folder that make up a checkpoint in the first layout that they fit; `format` names a layout, or a
 * kind of weights, as the only one. Fails with INVALID_CHECKPOINT that says what was found, or with BAD_USER_INPUT for
 * a layout that nobody knows.
 */
export function selectFromFolder(files: readonly string[], format?: string): Selection {
  const found = fitting(files, format);
  if (!found) throw unrecognised(files, format);
  const wanted = found.wanted(files);
  return {
    format: found.name,
    files: wanted.map((name) => ({ from: name, to: name })),
    leftOut: files.filter((name) => !wanted.includes(name)),
  };
}

/** The same for one file of weights, whatever it is called, with what lies beside it. */
export function selectFile(files: readonly string[], weights: string, format?: string): Selection {
  const folder = posix.dirname(weights);
  const beside = files.filter((name) => name !== weights && belongsTo(name, weights));
  const names = [posix.basename(weights), ...(USUAL_NAMES[posix.extname(weights)] ?? [])];
  for (const name of names) {
    const renamed = new Map(beside.map((file) => [within(folder, file, posix.dirname(name)), file]));
    renamed.set(name, weights);
    const listing = [...renamed.keys()];
    const found = fitting(listing, format);
    const wanted = found?.wanted(listing) ?? [];
    if (found && wanted.includes(name))
      return {
        format: found.name,
        files: wanted.map((to) => ({ from: renamed.get(to)!, to })),
        leftOut: [],
      };
  }
  throw unrecognised([weights, ...beside], format);
}

/** Configurations and vocabularies beside the weights or one folder up, and what an ONNX file keeps outside itself. */
function belongsTo(name: string, weights: string): boolean {
  const folder = posix.dirname(name);
  const home = posix.dirname(weights);
  if (SIDECAR.test(name)) return folder === home || folder === posix.dirname(home);
  return folder === home && posix.extname(weights) === ".onnx" && name.startsWith(stem(weights));
}

const stem = (path: string): string => path.slice(0, -posix.extname(path).length);

/** Where a file that lies beside the weights is put when those are put into the folder `target`. */
function within(home: string, file: string, target: string): string {
  const name = posix.basename(file);
  const besideWeights = posix.dirname(file) === home && !SIDECAR.test(file);
  return besideWeights ? posix.join(target, name) : name;
}

function fitting(files: readonly string[], format: string | undefined): CheckpointFormat | undefined {
  return formats(format).find(
    ({ recognises, wanted }) =>
      recognises(files) && (format === undefined || isOfKind(format, wanted(files))),
  );
}

function isOfKind(format: string, wanted: readonly string[]): boolean {
  const kind = KINDS[format];
  return kind === undefined || wanted.some((file) => kind.test(file));
}

/** The layouts that a word of an operator may mean. */
function formats(word: string | undefined): readonly CheckpointFormat[] {
  if (word === undefined || Object.hasOwn(KINDS, word)) return FORMATS;
  const known = FORMATS.filter(({ name }) => slug(name) === slug(word));
  if (known.length > 0) return known;
  const words = [...Object.keys(KINDS), ...FORMATS.map(({ name }) => slug(name))].join(", ");
  throw new AppError("BAD_USER_INPUT", `There is no format "${word}". The formats are ${words}.`);
}

const slug = (name: string): string => name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

function unrecognised(files: readonly string[], format: string | undefined): AppError {
  const shown = files.slice(0, 12).join(", ") + (files.length > 12 ? ` and ${files.length - 12} more` : "");
  const layouts = formats(format).map(({ name, layout }) => `  ${name}: ${layout}`);
  return new AppError(
    "INVALID_CHECKPOINT",
    `There is no checkpoint that can be read among ${files.length === 0 ? "no files" : shown}. What can be read:\n${layouts.join("\n")}`,
    { files: files.slice(0, 12) },
  );
}
