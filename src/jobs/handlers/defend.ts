import { join } from "node:path";
import { promptTokensDigest } from "../../engine/cbpt/prompt-tokens.ts";
import { decodeState, encodeState } from "../../engine/cbpt/state.ts";
import { openCheckpoint } from "../../engine/clip/checkpoint.ts";
import type { DefendedPrompts } from "../../engine/defences/defence.ts";
import { type DefenceRun, type DefenceTask, openDefence } from "../../engine/defences/index.ts";
import { AppError } from "../../errors.ts";
import { writeDurably } from "../../store/durable-file.ts";
import type { JobContext, JobHandler } from "../job.ts";
import { writePrompts } from "./artifact.ts";
import { auditResult } from "./audit.ts";
import { Clock, DEFENCE_SAVE_MILLISECONDS, Saver } from "./clock.ts";
import { deviceOf } from "./device.ts";
import { loadShots } from "./images.ts";
import type { PurifyResult } from "./purify.ts";
import { type DefendSpec, defendSpec, parseSpec, requireLabels } from "./spec.ts";

/** Learned prompts, as a purification leaves them. */
export interface DefendedPromptsResult extends PurifyResult {
  readonly kind: "prompts";
}

export interface DefendedWeightsResult {
  readonly kind: "weights";
  /** The checkpoint, in the job's folder. */
  readonly folder: string;
  readonly seconds: number;
}

export type DefendResult = DefendedPromptsResult | DefendedWeightsResult;

const FOLDER = "model";

/** Runs any defence on a suspect model and clean shots. */
export const defend: JobHandler<unknown, DefendResult> = async (given, context) => {
  const spec = parseSpec(defendSpec, given);
  requireLabels(spec.shots, spec.labels);
  const task = await taskOf(spec, context);
  const run = await openDefence(spec.defence, { ...task, parameters: spec.parameters });
  try {
    return await carryOut(run, task, context);
  } finally {
    await run.close();
  }
};

async function taskOf(spec: DefendSpec, context: JobContext): Promise<DefenceTask> {
  const { labels, templates, seed } = spec;
  const checkpoint = await openCheckpoint(spec.modelFolder);
  const shots = await loadShots(checkpoint, spec.shots);
  const device = await deviceOf(spec, context);
  return { checkpoint, labels, templates, shots, seed, device, threads: context.threads };
}

async function carryOut(run: DefenceRun, task: DefenceTask, context: JobContext): Promise<DefendResult> {
  const [clock, saver] = [new Clock(context), new Saver(context, DEFENCE_SAVE_MILLISECONDS)];
  let state = context.checkpoint ? decodeState(context.checkpoint) : await run.init();
  let searched = 0;
  while (!run.isDone(state)) {
    context.signal.throwIfAborted();
    state = await run.step(state);
    const progress = run.progress(state);
    if (progress.phase !== "tune") searched = clock.seconds;
    clock.report(progress);
    await saver.save(() => encodeState(state), false);
  }
  const result = await run.result(state);
  if (result.kind === "prompts")
    return promptsResult(result, task, context, { searched, seconds: clock.seconds });
  for (const { name, bytes } of result.files) await writeDurably(join(context.folder, FOLDER, name), bytes);
  return { kind: "weights", folder: FOLDER, seconds: clock.seconds };
}

async function promptsResult(
  prompts: DefendedPrompts,
  { checkpoint, labels }: DefenceTask,
  context: JobContext,
  { searched, seconds }: { searched: number; seconds: number },
): Promise<DefendedPromptsResult> {
  const { config, probes, tripwire, findings, textFeatures, contexts, recovery, suspected } = prompts;
  if (!config || !probes || !tripwire)
    throw new AppError(
      "VALIDATION_FAILED",
      "This defence learns nothing that could be kept. Classify or evaluate through the templates instead.",
    );
  return {
    kind: "prompts",
    artifact: await writePrompts(context.folder, {
      classes: labels.length,
      contextTokens: contexts.tokens,
      contexts: contexts.values,
      features: textFeatures,
      recovery,
      suspected,
    }),
    ...(findings ? { audit: auditResult({ labels }, findings, searched) } : {}),
    probe: probes.defended,
    undefendedProbe: probes.undefended,
    tripwire,
    config,
    tokenizer: promptTokensDigest(checkpoint.tokenizer, labels),
    contextLength: checkpoint.architecture.text.contextLength,
    seconds,
  };
}
