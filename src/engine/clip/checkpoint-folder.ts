import { lstat, readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { AppError } from "../../errors.ts";

/** Bytes; CLIP's own tokenizer has four million. */
const LARGEST_TEXT = 64 * 1024 * 1024;

/** Exports keep their files one folder deep, as in `onnx/model.onnx`. */
const DEEPEST = 2;
const MOST_FILES = 10_000;

/** The files of a checkpoint, by their names in its folder, with "/" between the parts of a name. */
export interface CheckpointFolder {
  readonly name: string;
  /** Absolute, without symbolic links. */
  readonly path: string;
  /** In the order of their names. */
  readonly files: readonly string[];
  /** The files that were asked for so far. */
  readonly used: readonly string[];
  /**
   * The folder below which all files really lie: `path`, or a folder above it where symbolic links lead out of it, as
   * in Hugging Face's cache.
   */
  readonly root: string;
  has(file: string): boolean;
  /** Where the file really lies, below `root`. Throws INVALID_CHECKPOINT naming a file that is not there. */
  locate(file: string): string;
  /** The bytes of a small file, such as a vocabulary. Throws INVALID_CHECKPOINT. */
  read(file: string): Promise<Uint8Array>;
  /** A parsed JSON file. Throws INVALID_CHECKPOINT. */
  readJson(file: string): Promise<unknown>;
}

/** Lists a folder. Throws INVALID_CHECKPOINT where it is none, or may not be read. */
export async function openFolder(folder: string): Promise<CheckpointFolder> {
  const path = await resolveFolder(folder);
  const places = await listFiles(path);
  return new Folder(path, new Map([...places].sort(([a], [b]) => (a < b ? -1 : 1))));
}

class Folder implements CheckpointFolder {
  readonly name: string;
  readonly files: readonly string[];
  readonly root: string;
  private readonly asked = new Set<string>();

  constructor(
    readonly path: string,
    private readonly places: ReadonlyMap<string, string>,
  ) {
    this.name = basename(path);
    this.files = [...places.keys()];
    this.root = [...places.values()].reduce((root, place) => commonFolder(root, dirname(place)), path);
  }

  get used(): readonly string[] {
    return [...this.asked].sort();
  }

  has(file: string): boolean {
    return this.places.has(file);
  }

  locate(file: string): string {
    return relative(this.root, this.placeOf(file)).split(sep).join("/");
  }

  async read(file: string): Promise<Uint8Array> {
    const place = this.placeOf(file);
    const { size } = await stat(place);
    if (size <= LARGEST_TEXT) return readFile(place);
    const message = `${file} has ${size} bytes; the limit is ${LARGEST_TEXT}.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file });
  }

  async readJson(file: string): Promise<unknown> {
    const bytes = await this.read(file);
    try {
      return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      const message = `${file} is not valid JSON. Export it again.`;
      throw new AppError("INVALID_CHECKPOINT", message, { file }, { cause });
    }
  }

  private placeOf(file: string): string {
    const place = this.places.get(file);
    if (place === undefined) {
      const message = `${file} is missing in the checkpoint folder "${this.name}", or may not be read. Export it again, or put the file there.`;
      throw new AppError("INVALID_CHECKPOINT", message, { file });
    }
    this.asked.add(file);
    return place;
  }
}

async function resolveFolder(folder: string): Promise<string> {
  const name = basename(folder);
  try {
    const path = await realpath(folder);
    if ((await lstat(path)).isDirectory()) return path;
  } catch (cause) {
    const message = `The checkpoint folder "${name}" cannot be opened. Check that it exists and may be read.`;
    throw new AppError("INVALID_CHECKPOINT", message, { folder: name }, { cause });
  }
  throw new AppError("INVALID_CHECKPOINT", `The checkpoint "${name}" is not a folder.`, { folder: name });
}

/**
 * The real path of every regular file, by its name. A linked file counts; a linked folder does not, nor a link that
 * leads nowhere.
 */
async function listFiles(folder: string): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  const visit = async (within: string, depth: number): Promise<void> => {
    for (const entry of await readdir(join(folder, within), { withFileTypes: true })) {
      const name = within === "" ? entry.name : `${within}/${entry.name}`;
      if (entry.isDirectory() && depth < DEEPEST) await visit(name, depth + 1);
      if (entry.isFile()) places.set(name, join(folder, name));
      if (entry.isSymbolicLink()) await addLinked(name, join(folder, name), places);
      if (places.size > MOST_FILES) throw tooMany(basename(folder));
    }
  };
  await visit("", 1);
  return places;
}

async function addLinked(name: string, link: string, places: Map<string, string>): Promise<void> {
  const place = await realpath(link).catch(() => undefined);
  if (place !== undefined && (await stat(place)).isFile()) places.set(name, place);
}

function commonFolder(a: string, b: string): string {
  let common = a;
  while (b !== common && !b.startsWith(common.endsWith(sep) ? common : common + sep))
    common = dirname(common);
  return common;
}

function tooMany(name: string): AppError {
  const message = `The folder "${name}" has more than ${MOST_FILES} files. Name the folder of one checkpoint.`;
  return new AppError("INVALID_CHECKPOINT", message, { folder: name });
}
