import { dirname, join } from "node:path/posix";
import { AppError } from "../../errors.ts";
import { type FileSource, fileSource } from "./byte-source.ts";
import { decodeSource, withinFolder } from "./decode.ts";
import type { Graph } from "./graph.ts";

export interface ModelFile {
  readonly graph: Graph;
  /** Every file that holds some of the model, itself first, by the names that `locate` was asked for. */
  readonly files: readonly string[];
}

/** Where a file of a model lies. */
export interface Located {
  /** As weights in it are to refer to it. */
  readonly stored: string;
  /** Where it is opened. */
  readonly path: string;
}

/**
 * Reads the graph of an `.onnx` file without reading its weights: what is long is skipped and referred to. `locate` is
 * asked for the file itself, and for each one that it names: a path from the same folder, which never leaves that of
 * the file. Throws INVALID_CHECKPOINT or INVALID_GRAPH for what is truncated or damaged, and UNSAFE_ARTIFACT for
 * weights outside of the folder.
 */
export function readModelFile(file: string, locate: (file: string) => Located): ModelFile {
  const sources = new Map<string, { stored: string; source: FileSource }>();
  const open = (name: string) => {
    const known = sources.get(name);
    if (known) return known;
    const { stored, path } = locate(name);
    const opened = { stored, source: openSource(name, path) };
    sources.set(name, opened);
    return opened;
  };
  try {
    const { stored, source } = open(file);
    const graph = decodeSource(source, {
      file: stored,
      source,
      external(location) {
        const weights = open(join(dirname(file), withinFolder(location)));
        return { file: weights.stored, source: weights.source };
      },
    });
    return { graph, files: [...sources.keys()] };
  } finally {
    for (const { source } of sources.values()) source.close();
  }
}

function openSource(file: string, path: string): FileSource {
  try {
    return fileSource(path);
  } catch (cause) {
    const message = `${file} cannot be read. Check that it is there, with permission to read it.`;
    throw new AppError("INVALID_CHECKPOINT", message, { file }, { cause });
  }
}
