import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/**
 * The compiled module `name` beside the calling one, for a worker thread or a child process to load. From compiled
 * code it is the neighbour; from sources (tests) it is the neighbour's place under `dist/`, which must be built.
 *
 * @param importMetaUrl `import.meta.url` of the caller.
 */
export function entryPoint(importMetaUrl: string, name: string): URL {
  const caller = fileURLToPath(importMetaUrl);
  const folder = caller.endsWith(".ts") ? compiledFolder(dirname(caller)) : dirname(caller);
  return pathToFileURL(join(folder, `${name}.js`));
}

function compiledFolder(sources: string): string {
  const root = projectRoot(sources);
  return join(root, "dist", relative(root, sources));
}

function projectRoot(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : projectRoot(dirname(folder));
}
