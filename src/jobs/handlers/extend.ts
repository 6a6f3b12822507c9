import { startExtension, stepExtension } from "../../engine/cbpt/extension.ts";
import type { FrozenPrompts } from "../../engine/cbpt/extension-tower.ts";
import type { Problem } from "../../engine/cbpt/problem.ts";
import { Workbench } from "../../engine/cbpt/workbench.ts";
import { readFloats, readSafetensors } from "../../engine/clip/safetensors.ts";
import { AppError } from "../../errors.ts";
import type { JobHandler } from "../job.ts";
import { problemOf } from "./audit.ts";
import { type PurifyResult, runPurification } from "./purify.ts";
import { extendSpec, parseSpec } from "./spec.ts";

/** Learns the prompt of one more class, the last of the labels, beside purified ones that stay as they are. */
export const extend: JobHandler<unknown, PurifyResult> = async (given, context) => {
  const spec = parseSpec(extendSpec, given);
  const problem = await problemOf(spec, spec.mode, context);
  const frozen = await readFrozen(spec.base, problem);
  return runPurification(new Workbench(problem, { frozen }), context, {
    start: () => startExtension(problem, frozen),
    step: (bench, state) => stepExtension(bench, state, frozen),
  });
};

/** Fails with INCOMPATIBLE_MODEL where the file has not the shapes of the other classes' prompts. */
async function readFrozen(path: string, { layout, width }: Problem): Promise<FrozenPrompts> {
  const file = await readSafetensors(path);
  const others = layout.classes - 1;
  const read = async (name: string, expected: readonly number[]) => {
    const found = file.tensors.get(name)?.shape ?? [];
    if (found.join() === expected.join()) return readFloats(file, name);
    throw new AppError(
      "INCOMPATIBLE_MODEL",
      `The prompts to add a class to have ${name} [${found}], but this model and these labels need [${expected}].`,
      { found, expected },
    );
  };
  const contexts = await read("contexts", [others, layout.contextTokens, layout.width]);
  return { contexts, features: await read("text_features", [others, width]) };
}
