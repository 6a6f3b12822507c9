import { AppError } from "../../errors.ts";
import type { Checkpoint } from "../clip/checkpoint.ts";
import { decodeFloats } from "../clip/float-decoding.ts";
import { stateOf } from "../clip/formats/pickled-state.ts";
import { isMap, type PlainMap, type PlainTensor, parsePytorchFile } from "../pickle/index.ts";
import { encodePytorchFile } from "../pickle/pytorch-writer.ts";
import type { Position } from "./config.ts";
import { type LearnedPrompts, layOutFor } from "./prompt-features.ts";

/**
 * The checkpoints of CoOp (Zhou et al. 2022, arXiv:2109.01134), `prompt_learner/model.pth.tar-N`: a state_dict with
 * `ctx` [M, d] for all classes or [C, M, d] for each, and the fixed vectors of the prompt "X X name." around it, of
 * which `token_suffix` [C, L − 1 − M, d] shows the classes' names.
 */
export interface CoopPrompts {
  readonly contextTokens: number;
  /** d */
  readonly width: number;
  /** How many classes have contexts of their own; undefined where one is shared by all. */
  readonly classes: number | undefined;
  /** [M, d] or [C, M, d] */
  readonly contexts: Float32Array;
  /** [C, n, d], where the file has it. */
  readonly suffix?: { readonly shape: readonly number[]; readonly data: Float32Array };
  /** What a file that was exported here says; CoOp's own do not. */
  readonly labels?: readonly string[];
  readonly position?: Position;
}

/** Relative error of 16 bits, with room for their rounding. */
const SUFFIX_TOLERANCE = 4e-3;

const POSITIONS: Readonly<Record<string, Position>> = { end: "END", middle: "MIDDLE", front: "FRONT" };

/** Reads a checkpoint without running anything of it. Fails with UNSAFE_ARTIFACT, INVALID_CHECKPOINT or INVALID_BUNDLE. */
export async function readCoop(bytes: Uint8Array, file: string): Promise<CoopPrompts> {
  const { root } = await parsePytorchFile(bytes, file);
  const state = stateOf(root, file);
  const context = state.get("ctx");
  const ranks = [2, 3];
  if (!context || !ranks.includes(context.shape.length))
    throw invalid("has no context vectors `ctx` of shape [M, d] or [C, M, d]");
  const [contextTokens, width] = context.shape.slice(-2);
  const suffix = state.get("token_suffix");
  if (suffix && suffix.shape.length !== 3) throw invalid("has a `token_suffix` that is not [C, n, d]");
  return {
    contextTokens,
    width,
    classes: context.shape.length === 3 ? context.shape[0] : undefined,
    contexts: floatsOf(bytes, context, "ctx"),
    suffix: suffix && { shape: suffix.shape, data: floatsOf(bytes, suffix, "token_suffix") },
    ...(isMap(root) ? noteOf(root) : {}),
  };
}

/** Contexts [C, M, d] of as many classes: each class's own, or the shared ones for all. */
export function contextsFor({ classes, contexts }: CoopPrompts, count: number): Float32Array {
  if (classes === count) return contexts;
  if (classes !== undefined)
    throw invalid(`has contexts of ${classes} classes, but ${count} labels are given`);
  const all = new Float32Array(count * contexts.length);
  for (let label = 0; label < count; label++) all.set(contexts, label * contexts.length);
  return all;
}

/**
 * Fails with INVALID_BUNDLE, naming the label, where the names that the file was trained with are not the given ones
 * in this model; a file without them cannot be checked.
 */
export async function requireSameNames(
  checkpoint: Checkpoint,
  { suffix }: CoopPrompts,
  prompts: Omit<LearnedPrompts, "contexts">,
): Promise<void> {
  if (!suffix) return;
  const { labels } = prompts;
  // With the contexts in front of the name, what follows them is what CoOp calls the suffix.
  const { base, endOfText, length, width, contextTokens } = await layOutFor(checkpoint, {
    ...prompts,
    position: "END",
  });
  const [classes, room] = suffix.shape;
  if (classes !== labels.length)
    throw invalid(`was trained with ${classes} classes, but ${labels.length} labels are given`);
  labels.forEach((label, index) => {
    const last = endOfText.subarray(index * length, (index + 1) * length).indexOf(1);
    const size = (last - contextTokens) * width;
    const expected = base.subarray((index * length + 1 + contextTokens) * width).subarray(0, size);
    const found = suffix.data.subarray(index * room * width).subarray(0, size);
    if (suffix.shape[2] === width && last - contextTokens <= room && isNear(found, expected)) return;
    throw invalid(
      `was trained with another name than "${label}" for class ${index}, or for another model. Give the labels in the order and spelling of its training`,
    );
  });
}

/** A checkpoint that CoOp loads, of class-wise contexts; it makes the fixed vectors itself, so they are left out. */
export function encodeCoop({ labels, contextTokens, position, contexts }: LearnedPrompts): Uint8Array {
  const width = contexts.length / labels.length / contextTokens;
  const shape = [labels.length, contextTokens, width];
  return encodePytorchFile({
    state_dict: { ctx: { kind: "floats", shape, data: contexts } },
    epoch: 0,
    labels: [...labels],
    class_token_position: position.toLowerCase(),
  });
}

function noteOf(root: PlainMap): Pick<CoopPrompts, "labels" | "position"> {
  const [labels, position] = [root.get("labels"), root.get("class_token_position")];
  const isList = Array.isArray(labels) && labels.every((label) => typeof label === "string");
  return {
    labels: isList ? (labels as string[]) : undefined,
    position: typeof position === "string" ? POSITIONS[position] : undefined,
  };
}

/** The values of a pickled tensor, row by row, however they lie in the file. */
function floatsOf(file: Uint8Array, tensor: PlainTensor, name: string): Float32Array {
  const { dtype, shape, strides, offset, length } = tensor;
  // A copy begins where its elements are aligned.
  const stored = decodeFloats(dtype, Uint8Array.from(file.subarray(offset, offset + length)));
  if (!stored) throw invalid(`has \`${name}\` as ${dtype}, which is no floating type`);
  const count = shape.reduce((product, size) => product * size, 1);
  // Only a view that repeats its bytes has more; it could be of any size.
  if (count > stored.length) throw invalid(`has \`${name}\` with elements that share their bytes`);
  return Float32Array.from({ length: count }, (_, index) => {
    let [rest, place] = [index, 0];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      place += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return stored[place];
  });
}

function isNear(found: Float32Array, expected: Float32Array): boolean {
  let [difference, size] = [0, 0];
  expected.forEach((value, index) => {
    difference += (value - found[index]) ** 2;
    size += value ** 2;
  });
  return difference <= SUFFIX_TOLERANCE ** 2 * size;
}

const invalid = (problem: string): AppError => new AppError("INVALID_BUNDLE", `The checkpoint ${problem}.`);
