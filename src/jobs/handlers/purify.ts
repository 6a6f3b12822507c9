import type { CbptConfig } from "../../engine/cbpt/config.ts";
import { type Probe, probeTuned } from "../../engine/cbpt/probe.ts";
import { progressOf } from "../../engine/cbpt/progress.ts";
import { promptTokensDigest } from "../../engine/cbpt/prompt-tokens.ts";
import {
  isPurified,
  type Purification,
  startPurification,
  stepPurification,
} from "../../engine/cbpt/purification.ts";
import { type Base, purified } from "../../engine/cbpt/purified.ts";
import { decodeState, encodeState } from "../../engine/cbpt/state.ts";
import type { Tripwire } from "../../engine/cbpt/tripwire.ts";
import { Workbench } from "../../engine/cbpt/workbench.ts";
import type { JobContext, JobHandler } from "../job.ts";
import { writePrompts } from "./artifact.ts";
import { type AuditResult, auditResult, problemOf } from "./audit.ts";
import { Clock, isToldEpoch, Saver } from "./clock.ts";
import { parseSpec, purifySpec } from "./spec.ts";

export interface PurifyResult {
  /** A safetensors file in the job's folder with the tensors of `arraysOf`. */
  readonly artifact: string;
  /** Absent in the published mode, which does not audit. */
  readonly audit?: AuditResult;
  readonly probe: Probe;
  readonly undefendedProbe: Probe;
  readonly tripwire: Tripwire;
  readonly config: CbptConfig;
  /** Of the token ids that the labels become. */
  readonly tokenizer: string;
  /** Most tokens that the model reads. */
  readonly contextLength: number;
  readonly seconds: number;
}

/** Learns prompts through which a suspect model answers without its backdoor. */
export const purify: JobHandler<unknown, PurifyResult> = async (given, context) => {
  const spec = parseSpec(purifySpec, given);
  const problem = await problemOf(spec, spec.mode, context);
  const start = () => startPurification(problem);
  return runPurification(new Workbench(problem), context, { start, step: stepPurification });
};

/** How a purification begins and goes on; the same state gives the same next one. */
export interface Course {
  readonly start: () => Purification;
  readonly step: (bench: Workbench, state: Purification) => Promise<Purification>;
  /** As in `purified`. */
  readonly base?: Base;
}

/** Runs to the end, from the last checkpoint if there is one, and closes the bench. */
export async function runPurification(
  bench: Workbench,
  context: JobContext,
  course: Course,
): Promise<PurifyResult> {
  try {
    return await run(bench, context, course);
  } finally {
    await bench.close();
  }
}

async function run(bench: Workbench, context: JobContext, course: Course): Promise<PurifyResult> {
  const { problem } = bench;
  const { start, step } = course;
  const [clock, saver] = [new Clock(context), new Saver(context)];
  let state = context.checkpoint ? decodeState<Purification>(context.checkpoint) : start();
  let audited = 0;
  while (!isPurified(problem, state)) {
    context.signal.throwIfAborted();
    const next = await step(bench, state);
    const ended = endedEpoch(state, next);
    if (state.phase === "audit") audited = clock.seconds;
    state = next;
    clock.report(progressOf(problem, state));
    const telling = ended !== undefined && (isToldEpoch(ended, problem.config.epochs) || saver.isDue);
    if (telling && ended > 0) await tellEpoch(bench, state, ended, context);
    await saver.save(() => encodeState(state), telling);
  }
  return finish(bench, state as TunePhase, context, { clock, audited, course });
}

type TunePhase = Purification & { phase: "tune" };

/** The epoch, from 1, that the step to `next` has ended; 0 for the start of tuning. */
function endedEpoch(before: Purification, next: Purification): number | undefined {
  if (next.phase !== "tune") return undefined;
  const epoch = before.phase === "tune" ? before.tuning.epoch : -1;
  return next.tuning.epoch > epoch ? next.tuning.epoch : undefined;
}

async function tellEpoch(
  bench: Workbench,
  state: Purification,
  epoch: number,
  context: JobContext,
): Promise<void> {
  if (state.phase !== "tune") return;
  const text = await bench.textFeatures(state.tuning.contexts);
  context.report({ kind: "checkpoint", epoch, ...(await probeTuned(bench, { purified: text }, state)) });
}

async function finish(
  bench: Workbench,
  state: TunePhase,
  context: JobContext,
  { clock, audited, course }: { clock: Clock; audited: number; course: Course },
): Promise<PurifyResult> {
  const { problem } = bench;
  const { contextTokens, classes } = problem.layout;
  const { tripwire, probes, ...learned } = await purified(bench, state, course.base);
  return {
    artifact: await writePrompts(context.folder, { classes, contextTokens, ...learned }),
    ...(state.findings.length > 0 ? { audit: auditResult(problem, state.findings, audited) } : {}),
    probe: probes.defended,
    undefendedProbe: probes.undefended,
    tripwire,
    config: problem.config,
    tokenizer: promptTokensDigest(problem.checkpoint.tokenizer, problem.labels),
    contextLength: problem.checkpoint.architecture.text.contextLength,
    seconds: clock.seconds,
  };
}
