import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type CheckpointFolder, openFolder } from "../engine/clip/checkpoint-folder.ts";
import type { Checkpoint, ClipArchitecture } from "../engine/clip/index.ts";
import type { CheckpointOverrides } from "../engine/clip/overrides.ts";
import { digestOf } from "./canonical.ts";

/** What an operator wants to know of a checkpoint before it is trusted with anything. */
export interface ModelFacts {
  /** The layout's name. */
  readonly format: string;
  /** In words. */
  readonly architecture: string;
  /** Learned numbers; absent where an export keeps them in graphs that nobody counts. */
  readonly parameters?: number;
  /** Of the weights, as safetensors spells them, e.g. F32. */
  readonly dtypes: readonly string[];
  /** What it was read from, and how many bytes that is. */
  readonly files: readonly string[];
  readonly bytes: number;
  /** Digest of the weights. */
  readonly weights: string;
  /** Digest of how images are prepared. */
  readonly preprocessing: string;
  readonly normalisation: { readonly mean: readonly number[]; readonly std: readonly number[] };
  /** What an operator has said about it against its own configuration. */
  readonly overrides: CheckpointOverrides;
  readonly contextLength: number;
  readonly vocabulary: number;
  readonly warnings: readonly string[];
}

/** Reads the weights once for their digest. `overrides` are those that it was opened with. */
export async function inspect(checkpoint: Checkpoint, overrides: CheckpointOverrides): Promise<ModelFacts> {
  const { format, architecture, files, preprocessing, tensors, exported } = checkpoint;
  const { mean, std } = preprocessing;
  const sizes = await Promise.all(files.map((file) => stat(join(checkpoint.folder, file))));
  return {
    format,
    architecture: describe(architecture),
    parameters: exported ? undefined : countParameters(checkpoint),
    dtypes: [...new Set([...tensors.values()].map(({ dtype }) => dtype))].sort(),
    files,
    bytes: sizes.reduce((sum, { size }) => sum + size, 0),
    weights: `sha256:${await checkpoint.weightsDigest()}`,
    preprocessing: digestOf(preprocessing),
    normalisation: { mean, std },
    overrides,
    contextLength: architecture.text.contextLength,
    vocabulary: architecture.text.vocabulary,
    warnings: warningsOf(checkpoint),
  };
}

/**
 * Changes whenever a file of the folder does: names, sizes and times of change. Fails as `openCheckpoint` does for a
 * folder that cannot be read.
 */
export async function fingerprintOf(path: string): Promise<string> {
  const folder = await openFolder(path);
  return digestOf(await Promise.all(folder.files.map((file) => stampOf(folder, file))));
}

async function stampOf(folder: CheckpointFolder, file: string): Promise<readonly unknown[]> {
  const { size, mtimeMs } = await stat(join(folder.root, folder.locate(file)));
  return [file, size, mtimeMs];
}

/** Statistics of batch normalisation are stored, not learned. */
function countParameters({ tensors }: Checkpoint): number {
  const learned = [...tensors.values()].filter(({ name }) => !/\.running_(mean|var)$/.test(name));
  return learned.reduce((sum, { shape }) => sum + shape.reduce((size, side) => size * side, 1), 0);
}

const NAMED = 5;

function warningsOf({ unusedTensors, assumptions = [] }: Checkpoint): string[] {
  return [...assumptions, ...unusedWarnings(unusedTensors)];
}

function unusedWarnings(unusedTensors: readonly string[]): string[] {
  if (unusedTensors.length === 0) return [];
  const more = unusedTensors.length > NAMED ? ` and ${unusedTensors.length - NAMED} more` : "";
  const are = unusedTensors.length === 1 ? "tensor is" : "tensors are";
  return [
    `${unusedTensors.length} ${are} not part of the network and not read: ${unusedTensors.slice(0, NAMED).join(", ")}${more}.`,
  ];
}

function describe({ image, text, embeddingWidth }: ClipArchitecture): string {
  const { height, width } = image.imageSize;
  const layers = text.kind === "exported" ? "as exported" : `${text.layers} layers`;
  return `${describeImage(image)}, ${width}×${height} px; text ${layers}, width ${text.width}; embedding ${embeddingWidth}`;
}

function describeImage(image: ClipArchitecture["image"]): string {
  if (image.kind === "exported") return "Image tower as exported";
  return image.kind === "resnet"
    ? `ModifiedResNet ${image.layers.join("-")}, width ${image.width}`
    : `ViT ${image.layers} layers, width ${image.width}, patch ${image.patchSize}`;
}
