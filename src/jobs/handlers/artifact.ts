import { join } from "node:path";
import { arraysOf, type LearnedTensors } from "../../engine/cbpt/prompt-tensors.ts";
import { encodeSafetensors } from "../../engine/clip/safetensors.ts";
import { writeDurably } from "../../store/durable-file.ts";

const ARTIFACT = "prompts.safetensors";

/** Writes what was learned as safetensors into a job's folder; the file's name. */
export async function writePrompts(folder: string, learned: LearnedTensors): Promise<string> {
  await writeDurably(join(folder, ARTIFACT), encodeSafetensors(arraysOf(learned)));
  return ARTIFACT;
}
