import { lstatSync } from "node:fs";
import { join } from "node:path";
import { dirname } from "node:path/posix";
import { AppError } from "../../../errors.ts";
import { type Located, type ModelFile, readModelFile } from "../../onnx/model-file.ts";
import { join as joinParts } from "../../onnx/translate/join.ts";
import type { CheckpointFolder } from "../checkpoint-folder.ts";

/**
 * Reads an `.onnx` file of a checkpoint. Its weights are named from `folder.root`. Symbolic links are followed only
 * as in Hugging Face's cache, where the model and its weights are links to files side by side; any other link that
 * weights lie behind is UNSAFE_ARTIFACT.
 */
export function readExport(folder: CheckpointFolder, file: string): ModelFile {
  const model = folder.locate(file);
  const { graph, files } = readModelFile(file, (name): Located => {
    if (!folder.has(name)) throw missing(folder, name, file);
    const stored = folder.locate(name);
    const linked = !lstatSync(join(folder.path, name)).isFile();
    if (linked && dirname(stored) !== dirname(model)) throw unsafe(name);
    return { stored, path: join(folder.root, stored) };
  });
  return { graph: joinParts(graph), files };
}

function missing(folder: CheckpointFolder, file: string, model: string): AppError {
  if (lstatSync(join(folder.path, file), { throwIfNoEntry: false })) return unsafe(file);
  const message = `${file} is missing, where ${model} says that its weights lie. Put it there.`;
  return new AppError("INVALID_CHECKPOINT", message, { file });
}

function unsafe(file: string): AppError {
  const message = `${file} is, or lies behind, a symbolic link. Put the file itself there.`;
  return new AppError("UNSAFE_ARTIFACT", message, { file });
}
