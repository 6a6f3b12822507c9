import { stat } from "node:fs/promises";
import { AppError } from "../errors.ts";

/** The files of a folder: their names in it, with "/" between the parts, and where each really lies. */
export type FolderFiles = ReadonlyMap<string, string>;

/** Whole folders, such as the checkpoints of models, so that every machine has those that any machine has. */
export interface Depot {
  /** What every machine can have the folder by, once it is kept. */
  referenceOf(folder: string, files: FolderFiles): Promise<string>;
  /** Keeps the files, so that `folder` finds them; the answer is their reference. */
  keep(folder: string, files: FolderFiles): Promise<string>;
  /** The folder on this machine, fetched when it is missing. Fails with NOT_FOUND for what was never kept. */
  folder(reference: string): Promise<string>;
}

/** Every machine has the same file system, so a folder's path says it all. */
export class SharedDepot implements Depot {
  referenceOf(folder: string): Promise<string> {
    return Promise.resolve(folder);
  }

  keep(folder: string): Promise<string> {
    return this.referenceOf(folder);
  }

  async folder(reference: string): Promise<string> {
    const found = await stat(reference).catch(() => undefined);
    if (!found?.isDirectory()) throw unknownFolder(reference);
    return reference;
  }
}

export function unknownFolder(reference: string): AppError {
  const name = reference.split("/").at(-1);
  const message = `The files of "${name}" are not there (any more). Register the model again where they are.`;
  return new AppError("NOT_FOUND", message, { folder: name });
}
