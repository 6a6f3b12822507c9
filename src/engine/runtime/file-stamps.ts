import { realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { AppError } from "../../errors.ts";

/** How files looked, by where they are: one that was changed since looks otherwise. */
export type FileStamps = Readonly<Record<string, string>>;

/** How a file looks; whoever writes to it, or puts another in its place, changes that. */
export async function stampOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(" ");
}

/** @param files names in the folder; links are followed. */
export async function stampsOf(folder: string, files: readonly string[]): Promise<FileStamps> {
  const stamps = files.map(async (file) => {
    const path = await realpath(join(folder, file));
    return [path, await stampOf(path)] as const;
  });
  return Object.fromEntries(await Promise.all(stamps));
}

/** Fails with INCOMPATIBLE_MODEL where one of the files is gone or does not look any more as its stamp says. */
export async function requireUnchanged(stamps: FileStamps): Promise<void> {
  for (const [path, stamp] of Object.entries(stamps)) {
    const now = await stampOf(path).catch(() => undefined);
    if (now !== stamp) throw changed(path);
  }
}

export const changed = (path: string): AppError =>
  new AppError(
    "INCOMPATIBLE_MODEL",
    `The file "${basename(path)}" has changed since its model was loaded. Put it back, or register the model again.`,
    { file: basename(path) },
  );
