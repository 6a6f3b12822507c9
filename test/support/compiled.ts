import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The compiled form of a source module such as `src/store/lmdb`, for child processes and worker threads. */
export function compiled(module: string): URL {
  return pathToFileURL(join(__dirname, "../../dist", `${module}.js`));
}
