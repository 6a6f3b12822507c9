import { startExtension, stepExtension } from "../../engine/cbpt/extension.ts";
import type { Problem } from "../../engine/cbpt/problem.ts";
import { type LearnedTensors, readLearned, requireShape, TENSORS } from "../../engine/cbpt/prompt-tensors.ts";
import { Workbench } from "../../engine/cbpt/workbench.ts";
import { readSafetensors } from "../../engine/clip/safetensors.ts";
import type { JobHandler } from "../job.ts";
import { problemOf } from "./audit.ts";
import { type PurifyResult, runPurification } from "./purify.ts";
import { extendSpec, parseSpec } from "./spec.ts";

/**
 * Learns the prompt of one more class, the last of the labels, beside purified ones that stay as they are. The others'
 * recovery prompts stay too; the new class's purified prompt stands among them.
 */
export const extend: JobHandler<unknown, PurifyResult> = async (given, context) => {
  const { config, ...spec } = parseSpec(extendSpec, given);
  const problem = await problemOf({ ...spec, config: { ...config, recovery: 0 } }, spec.mode, context);
  const base = await readBase(spec.base, problem);
  return runPurification(new Workbench(problem, { frozen: base }), context, {
    start: () => startExtension(problem, base),
    step: (bench, state) => stepExtension(bench, state, base),
    base,
  });
};

/** Fails with INCOMPATIBLE_MODEL where the file has not the shapes of the other classes' prompts. */
async function readBase(path: string, { layout, width }: Problem): Promise<LearnedTensors> {
  const file = await readSafetensors(path);
  const classes = layout.classes - 1;
  const contextTokens = layout.contextTokens;
  requireShape(file, TENSORS.contexts, [classes, contextTokens, layout.width]);
  requireShape(file, TENSORS.features, [classes, width]);
  return readLearned(file, { classes, contextTokens });
}
