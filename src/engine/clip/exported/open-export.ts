import { AppError } from "../../../errors.ts";
import type { Initializer, Shape } from "../../onnx/graph.ts";
import type { ImageSize, TextPooling } from "../architecture.ts";
import type { CheckpointFolder } from "../checkpoint-folder.ts";
import type { StoredTensor } from "../stored-tensor.ts";
import { dependenceOf } from "./dependence.ts";
import { storedTensor } from "./exported-tensors.ts";
import { exportedLogitScale } from "./logit-scale.ts";
import { readExport } from "./model-file.ts";
import { poolingOf } from "./pooling.ts";
import { findPort } from "./ports.ts";
import { findTokenTable } from "./token-table.ts";
import type { ExportedParts, TowerPort } from "./towers.ts";

/** An export as its graphs alone tell it. */
export interface OpenedExport extends Omit<ExportedParts, "endToken"> {
  /** Every file that holds some of it. */
  readonly files: readonly string[];
  /** The table of token vectors. */
  readonly tokenVectors: StoredTensor;
  readonly width: number;
  readonly vocabulary: number;
  /** Where the export is fixed to them. */
  readonly imageSize: ImageSize | undefined;
  readonly contextLength: number | undefined;
  readonly pooling: TextPooling;
  /** The factor of the cosines, exponentiated; undefined where no graph has it. */
  readonly logitScale: number | undefined;
}

/** Exports of eight and four bits, by the names that they are usually given. */
const QUANTISED = /(quantized|quant|int8|uint8|q4|q4f16|q8|bnb4|qdq|dynamic)\.onnx$/i;

/**
 * The exports among the files of a listing, in the order in which towers are looked for in them: whole numbers of
 * fewer bits never, both towers before one, float32 before float16.
 */
export function exportFiles(files: readonly string[]): readonly string[] {
  const exports = files.filter((file) => file.endsWith(".onnx") && !QUANTISED.test(file));
  const rank = (file: string): number =>
    (/(fp16|float16|half)/i.test(file) ? 4 : 0) +
    (/(^|\/)model/.test(file) ? 0 : 2) +
    (/_(merged|O[1-4])/.test(file) ? 1 : 0);
  return exports.toSorted((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/**
 * Finds the two towers among the exports of a folder, and what the rest of the engine wants to know of them. Throws
 * INVALID_CHECKPOINT or INVALID_GRAPH, naming the file, and UNSAFE_ARTIFACT for weights outside of the folder.
 */
export function openExport(folder: CheckpointFolder): OpenedExport {
  const { image, text, files, logitScale } = findTowers(folder);
  const tokens = findTokenTable(text.port, text.file);
  const [, , height, width] = channelsFirst(image.port.input.shape);
  const [, length] = text.port.input.shape;
  return {
    image,
    text: { ...text, tokens },
    files,
    logitScale,
    tokenVectors: storedTable(tokens.table, text.file),
    vocabulary: tokens.table.shape[0],
    width: tokens.table.shape[1],
    imageSize: height > 0 && width > 0 ? { height, width } : undefined,
    contextLength: length > 0 ? length : undefined,
    pooling: poolingOf(text.port),
  };
}

function findTowers(folder: CheckpointFolder) {
  const found: { image?: TowerPort; text?: TowerPort; logitScale?: number } = {};
  const files = new Set<string>();
  const problems: unknown[] = [];
  for (const file of exportFiles(folder.files)) {
    if (found.image && found.text) break;
    const model = readExport(folder, file);
    const dependence = attempt(() => dependenceOf(model.graph), problems);
    if (!dependence) continue;
    for (const side of ["image", "text"] as const) {
      const port = found[side]
        ? undefined
        : attempt(() => findPort(model.graph, dependence, side, file), problems);
      if (!port) continue;
      found[side] = { port, file };
      for (const name of model.files) files.add(name);
    }
    found.logitScale ??= exportedLogitScale(model.graph, dependence);
  }
  const { image, text, logitScale } = found;
  if (image && text) return { image, text, logitScale, files: [...files] };
  throw problems[0] ?? withoutTower(folder, image ? "text" : "image");
}

function attempt<Result>(step: () => Result, problems: unknown[]): Result | undefined {
  try {
    return step();
  } catch (problem) {
    problems.push(problem);
    return undefined;
  }
}

function withoutTower({ files }: CheckpointFolder, side: string): AppError {
  const exports = files.filter((file) => file.endsWith(".onnx"));
  const usable = exportFiles(files);
  const message =
    usable.length === 0
      ? `The folder has only quantised exports (${exports.join(", ")}), which have no exact gradients. Put the one in float32 or float16 there.`
      : `None of ${usable.join(", ")} takes ${side === "image" ? "images (a float input of rank 4)" : "token ids (an integer input of rank 2)"}. Export CLIPModel with both towers, or put vision_model.onnx and text_model.onnx there.`;
  return new AppError("INVALID_CHECKPOINT", message, { files: exports });
}

const channelsFirst = (shape: Shape): Shape =>
  shape[3] === 3 && shape[1] !== 3 ? [shape[0], shape[3], shape[1], shape[2]] : shape;

function storedTable(table: Initializer, file: string): StoredTensor {
  const tensor = storedTensor("token_embedding.weight", table);
  if (tensor) return tensor;
  const message = `${file}: the table of token vectors "${table.name}" is too small to be one.`;
  throw new AppError("INVALID_CHECKPOINT", message, { file, tensor: table.name });
}
