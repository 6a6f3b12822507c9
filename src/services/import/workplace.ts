import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { access, copyFile, link, lstat, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../errors.ts";

/** The folder within the models folder where imports are prepared; no model can have its name. */
const WORKPLACE = ".antidote";
const SMALL = 1024 * 1024;
const ABANDONED_MILLISECONDS = 24 * 3600 * 1000;

/** Files by the names that they are to have. */
export type Bundle = ReadonlyMap<string, string>;

/** Where an import is prepared so that the models folder never shows half of it. */
export class Workplace {
  constructor(private readonly modelsFolder: string) {}

  /** Where a download's parts are kept from one try to the next. */
  downloads(key: string): string {
    return join(this.modelsFolder, WORKPLACE, "downloads", key);
  }

  /** Where the note about an imported model is: outside its folder, so that no download brings one along. */
  note(name: string): string {
    return join(this.modelsFolder, WORKPLACE, "imports", `${name}.json`);
  }

  /** Fails with INVALID_CONFIGURATION where nothing can be put among the models. */
  async assertWritable(): Promise<void> {
    const place = this.temporary("staging");
    try {
      await access(this.modelsFolder, constants.W_OK);
      await mkdir(place, { recursive: true });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const message = `The models folder of the machine that runs this cannot be written (${code}), so a new model could not be put there. Its operator has to make it writable, or to set MODELS_DIR to a folder that is.`;
      throw new AppError("INVALID_CONFIGURATION", message, { reason: code }, { cause: error });
    } finally {
      await rm(place, { recursive: true, force: true }).catch(() => {});
    }
  }

  /** Puts the files into a new folder of that name, for `use`; what it leaves there is removed. */
  async staged<Value>(name: string, files: Bundle, use: (folder: string) => Promise<Value>): Promise<Value> {
    await this.removeAbandoned();
    const place = this.temporary("staging");
    const folder = join(place, name);
    try {
      for (const [target, path] of files) await linkOrCopy(path, join(folder, target));
      return await use(folder);
    } finally {
      await rm(place, { recursive: true, force: true });
    }
  }

  /**
   * Moves a staged folder to where models are. One that is there already is replaced only if `replace` says so, and is
   * back in its place if that fails. Fails with VALIDATION_FAILED where the name is taken.
   */
  async publish(folder: string, name: string, replace: boolean): Promise<void> {
    const target = join(this.modelsFolder, name);
    if (!(await exists(target))) return moveIn(folder, target, name);
    if (!replace) throw nameTaken(name);
    const old = this.temporary("replaced");
    await mkdir(dirname(old), { recursive: true });
    await rename(target, old);
    try {
      await rename(folder, target);
    } catch (error) {
      await rename(old, target);
      throw error;
    }
    await rm(old, { recursive: true, force: true });
  }

  async assertFree(name: string): Promise<void> {
    if (await exists(join(this.modelsFolder, name))) throw nameTaken(name);
  }

  private temporary(kind: string): string {
    return join(this.modelsFolder, WORKPLACE, kind, randomBytes(8).toString("hex"));
  }

  /** What a killed import has left. */
  private async removeAbandoned(): Promise<void> {
    const folder = join(this.modelsFolder, WORKPLACE, "staging");
    for (const name of await readdir(folder).catch(() => [])) {
      const status = await stat(join(folder, name)).catch(() => undefined);
      if (status && Date.now() - status.mtimeMs > ABANDONED_MILLISECONDS)
        await rm(join(folder, name), { recursive: true, force: true });
    }
  }
}

/**
 * A hard link costs no room; other file systems, and files of other owners, are copied. So are small files, which
 * people edit in place.
 */
async function linkOrCopy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  try {
    if ((await stat(from)).size < SMALL) await copyFile(from, to, constants.COPYFILE_EXCL);
    else await link(from, to);
  } catch (error) {
    if (!NOT_LINKABLE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  }
}

const NOT_LINKABLE: ReadonlySet<string> = new Set([
  "EXDEV",
  "EPERM",
  "EMLINK",
  "ENOTSUP",
  "ENOSYS",
  "EOPNOTSUPP",
]);

/** Another import of the same name may have been quicker. */
async function moveIn(folder: string, target: string, name: string): Promise<void> {
  await rename(folder, target).catch((error: NodeJS.ErrnoException) => {
    throw error.code === "ENOTEMPTY" || error.code === "EEXIST" ? nameTaken(name) : error;
  });
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

export const nameTaken = (name: string): AppError =>
  new AppError(
    "VALIDATION_FAILED",
    `There is a model "${name}" already. Give another --name, or replace it with --replace.`,
    { name },
  );
