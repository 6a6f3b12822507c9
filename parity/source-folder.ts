import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this module's source, which has data beside it, also when the module was compiled to dist/. */
export const SOURCE_FOLDER: string = sourceFolder(fileURLToPath(new URL(".", import.meta.url)));

function sourceFolder(folder: string): string {
  const root = join(folder, "../..");
  return folder.includes(join("dist", "parity")) ? join(root, relative(join(root, "dist"), folder)) : folder;
}
