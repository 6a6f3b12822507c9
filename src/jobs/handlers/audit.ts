import { type Audit, startAudit, stepAudit } from "../../engine/cbpt/audit.ts";
import { completeConfig, recordedConfig } from "../../engine/cbpt/config.ts";
import { prepareProblem } from "../../engine/cbpt/prepare.ts";
import type { Problem } from "../../engine/cbpt/problem.ts";
import { auditProgress } from "../../engine/cbpt/progress.ts";
import { decodeState, encodeState } from "../../engine/cbpt/state.ts";
import { type Finding, strongest, suspectsAmong } from "../../engine/cbpt/verdict.ts";
import { Workbench } from "../../engine/cbpt/workbench.ts";
import { openCheckpoint } from "../../engine/clip/checkpoint.ts";
import type { Count } from "../../engine/evaluation/rate.ts";
import type { JobContext, JobHandler } from "../job.ts";
import { Clock, Saver } from "./clock.ts";
import { deviceOf } from "./device.ts";
import { loadShots } from "./images.ts";
import { type AuditSpec, auditSpec, parseSpec, requireLabels } from "./spec.ts";

interface ClassFinding {
  readonly label: string;
  /** Of the shots of other classes, how many the class's best trigger pulls to it. */
  readonly pulled: Count;
  readonly family: string;
  /** Of a suspect that a word gave away. */
  readonly word?: string;
}

export interface AuditResult {
  readonly verdict: "SUSPECT" | "NOTHING_FOUND";
  readonly suspects: readonly ClassFinding[];
  /** Every class, most pulled first. */
  readonly classes: readonly ClassFinding[];
  readonly seconds: number;
}

/** Looks for classes that a backdoor pulls to, without tuning anything. */
export const audit: JobHandler<unknown, AuditResult> = async (given, context) => {
  const spec = parseSpec(auditSpec, given);
  const problem = await problemOf(spec, "UNIVERSAL", context);
  const [clock, saver, bench] = [new Clock(context), new Saver(context), new Workbench(problem)];
  try {
    let state = context.checkpoint ? decodeState<Audit>(context.checkpoint) : startAudit(problem);
    while (state.stage !== "done") {
      context.signal.throwIfAborted();
      state = await stepAudit(bench, state);
      clock.report(auditProgress(problem, state));
      await saver.save(() => encodeState(state), false);
    }
    return auditResult(problem, state.findings, clock.seconds);
  } finally {
    await bench.close();
  }
};

/** Reads the model and the shots and computes what the run starts from. */
export async function problemOf(
  spec: AuditSpec,
  mode: "UNIVERSAL" | "PUBLISHED",
  context: JobContext,
): Promise<Problem> {
  const config = completeConfig(mode, recordedConfig(spec.config));
  requireLabels(spec.shots, spec.labels);
  const checkpoint = await openCheckpoint(spec.modelFolder);
  return prepareProblem({
    checkpoint,
    config,
    labels: spec.labels,
    targets: spec.targets,
    templates: spec.templates,
    shots: await loadShots(checkpoint, spec.shots),
    device: await deviceOf(spec, context),
    threads: context.threads,
  });
}

export function auditResult(
  { labels }: Pick<Problem, "labels">,
  findings: readonly Finding[],
  seconds: number,
): AuditResult {
  const named = ({ label, pulled, family, word }: Finding): ClassFinding => ({
    label: labels[label],
    pulled,
    family,
    ...(word === undefined ? {} : { word }),
  });
  const suspects = suspectsAmong(findings).map(named);
  const verdict = suspects.length > 0 ? "SUSPECT" : "NOTHING_FOUND";
  return { verdict, suspects, classes: strongest(findings).map(named), seconds };
}
