import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackError } from "../engine/runtime/carried-error.ts";
import type { Device } from "../engine/runtime/device.ts";
import { entryPoint } from "../engine/runtime/entry-point.ts";
import { AppError } from "../errors.ts";
import type { PlanResult } from "./handlers/plan.ts";
import { DEFAULT_NICENESS } from "./messages.ts";
import { JobProcess } from "./process.ts";

export interface PlanningOptions {
  readonly device: Device;
  readonly threads: number;
  /** A line that the process wrote. */
  onOutput(line: string): void;
}

/** The kinds of jobs that can be planned. */
export type PlannedKind = "audit" | "purify" | "defend";

/** Plans a job in a process of its own, which gives its memory back; `spec` may carry an earlier calibration. */
export async function planJob(
  kind: PlannedKind,
  spec: unknown,
  { device, threads, onOutput }: PlanningOptions,
): Promise<PlanResult> {
  const folder = await mkdtemp(join(tmpdir(), "antidote-plan-"));
  const handlersModule = entryPoint(import.meta.url, "handlers/plan").href;
  try {
    const niceness = DEFAULT_NICENESS;
    const order = { jobId: "plan", kind, spec, folder, device, threads, niceness, handlersModule };
    const outcome = await new JobProcess(order, { onReport: () => {}, onOutput }).outcome;
    if (outcome.kind === "done") return outcome.result as PlanResult;
    if (outcome.kind === "failed") throw unpackError(outcome.error);
    const reason = outcome.kind === "lost" ? outcome.reason : "unasked";
    throw new AppError(
      "WORKER_LOST",
      `The process that plans ended ${reason}. Plan again once there is enough memory.`,
      { reason },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
