import { AppError } from "../../errors.ts";
import type { ClipArchitecture } from "./architecture.ts";
import { type CheckpointFolder, openFolder } from "./checkpoint-folder.ts";
import { digestOfFiles } from "./digest.ts";
import type { ExportedTowers } from "./exported-towers.ts";
import { FORMATS } from "./formats/index.ts";
import { type CheckpointOverrides, OVERRIDES_FILE, parseOverrides, withOverrides } from "./overrides.ts";
import type { Preprocessing } from "./preprocessing.ts";
import type { StoredTensor } from "./stored-tensor.ts";
import type { ClipTokenizer } from "./tokenizer.ts";

/** A CLIP in any of the known layouts, read and checked. The weights stay in their files. */
export interface Checkpoint {
  /** The folder's name. */
  readonly name: string;
  /** Where it can be opened again: absolute, without symbolic links. */
  readonly folder: string;
  /**
   * What the tensors' files are named from, and with them a program's weights: `folder`, or one above it where files
   * are linked.
   */
  readonly weightsFolder: string;
  /** The layout's name. */
  readonly format: string;
  /** All that it was read from: names in `folder`, sorted. */
  readonly files: readonly string[];
  readonly architecture: ClipArchitecture;
  /** By open_clip's names, those of the text tower without a "text." before them. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The towers' own graphs, where it comes with them. */
  readonly exported?: ExportedTowers;
  /** Tensors that no tower reads, by the names that the files give them: worth a warning. */
  readonly unusedTensors: readonly string[];
  /** What the files do not say and was taken for granted, in sentences: worth a warning. */
  readonly assumptions?: readonly string[];
  readonly preprocessing: Preprocessing;
  readonly tokenizer: ClipTokenizer;
  /** The factor of the cosines, already exponentiated. */
  readonly logitScale: number;
  /**
   * SHA-256 of the weights' file in hexadecimal; of several, that of the lines "digest name", sorted by name. Reads
   * them whole, once for as long as they do not change.
   */
  weightsDigest(): Promise<string>;
}

/**
 * Opens a folder in one of the layouts of `formats/`. Everything that the networks need is checked here, and no
 * weight is read. What the overrides say, or `antidote.json` in the folder where none are given, wins over the
 * folder's configuration. Throws INVALID_CHECKPOINT naming the file, and the tensor where it is about one, or
 * UNSUPPORTED_ARCHITECTURE naming the key of the configuration.
 */
export async function openCheckpoint(path: string, overrides?: CheckpointOverrides): Promise<Checkpoint> {
  const folder = await openFolder(path);
  const format = FORMATS.find(({ recognises }) => recognises(folder.files));
  if (!format) throw unrecognised(folder);
  const chosen = overrides ?? (await readOverrides(folder));
  const { weightFiles, ...content } = withOverrides(await format.read(folder), chosen);
  return {
    name: folder.name,
    folder: folder.path,
    weightsFolder: folder.root,
    format: format.name,
    files: folder.used,
    ...content,
    weightsDigest: () => digestOfFiles(folder, weightFiles),
  };
}

async function readOverrides(folder: CheckpointFolder): Promise<CheckpointOverrides> {
  return folder.has(OVERRIDES_FILE) ? parseOverrides(await folder.readJson(OVERRIDES_FILE)) : {};
}

function unrecognised({ name, files }: CheckpointFolder): AppError {
  const layouts = FORMATS.map((format) => `${format.name} has ${format.layout}`).join("; ");
  const found = files.length === 0 ? "no file" : files.slice(0, 8).join(", ");
  const message = `The folder "${name}" holds no checkpoint that can be read: it has ${found}. ${layouts}.`;
  return new AppError("INVALID_CHECKPOINT", message, { folder: name, files: files.slice(0, 8) });
}
