import { copyFile, link, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openCheckpoint } from "../../src/engine/clip/checkpoint.ts";

/**
 * A folder with nothing but the files that a checkpoint is read from, under a name that says nothing: no manifest and
 * no trigger is within a defence's reach. Files are linked where the disk can, else copied.
 */
export async function blindFolder(model: string, folder: string): Promise<string> {
  const { files } = await openCheckpoint(model);
  for (const name of files) {
    const [from, to] = [join(model, name), join(folder, name)];
    await mkdir(dirname(to), { recursive: true });
    await link(from, to).catch(() => copyFile(from, to));
  }
  return folder;
}
