import { z } from "zod";
import { shotOf } from "../../engine/cbpt/byte-shot.ts";
import { calibrate, type Speed } from "../../engine/cbpt/calibration.ts";
import { completeConfig } from "../../engine/cbpt/config.ts";
import {
  planAudit,
  planPurification,
  type RunPlan,
  type RunSize,
  WORK_KINDS,
} from "../../engine/cbpt/plan.ts";
import { sizeOfRun } from "../../engine/cbpt/prepare.ts";
import { type Checkpoint, openCheckpoint } from "../../engine/clip/checkpoint.ts";
import type { JobContext, JobHandler } from "../job.ts";
import { deviceOf } from "./device.ts";
import { loadImage } from "./images.ts";
import { parseSpec, purifySpec, requireLabels } from "./spec.ts";

/** How fast a device does the work of runs like this one, measured in a process of its own. */
export interface Calibration extends Speed {
  /** To read and to decode one shot. */
  readonly decodeSeconds: number;
  /** Most memory that the process had with the run's programs, but without its shots and its state. */
  readonly bytes: number;
  /** How long the measurement took. */
  readonly seconds: number;
}

export interface PlanResult {
  readonly plan: RunPlan;
  readonly calibration: Calibration;
}

/** Shots that are decoded for a calibration. */
const SAMPLE = 8;

const planSpec = purifySpec.extend({
  /** One of an earlier plan, which is then not measured again. */
  calibration: z
    .object({
      rates: z.record(z.enum(WORK_KINDS), z.number()),
      epochSeconds: z.number(),
      decodeSeconds: z.number(),
      bytes: z.number(),
      seconds: z.number(),
    })
    .optional(),
});

type PlanSpec = z.infer<typeof planSpec>;

const planner =
  (makePlan: (size: RunSize) => RunPlan): JobHandler<unknown, PlanResult> =>
  async (given, context) => {
    const spec = parseSpec(planSpec, given);
    requireLabels(spec.shots, spec.labels);
    const checkpoint = await openCheckpoint(spec.modelFolder);
    const device = await deviceOf(spec, context);
    const config = completeConfig(spec.mode, spec.config);
    const size = await sizeOfRun({ ...spec, checkpoint, config, device });
    const calibration = spec.calibration ?? (await measure(spec, checkpoint, size, context));
    return { plan: makePlan(size), calibration };
  };

/** In place of the jobs' handlers: they tell what a job would do, and do nothing. */
export const handlers: Readonly<Record<"audit" | "purify", JobHandler<unknown, PlanResult>>> = {
  audit: planner(planAudit),
  purify: planner(planPurification),
};

async function measure(
  { shots }: Pick<PlanSpec, "shots">,
  checkpoint: Checkpoint,
  size: RunSize,
  { threads, save }: Pick<JobContext, "threads" | "save">,
): Promise<Calibration> {
  const begin = performance.now();
  const sample = [];
  for (const [index, image] of shots.slice(0, SAMPLE).entries())
    sample.push(shotOf(await loadImage(checkpoint, image, index), image.label));
  const decodeSeconds = (performance.now() - begin) / 1000 / sample.length;
  const speed = await calibrate({ ...size, threads }, sample, save);
  return {
    ...speed,
    decodeSeconds,
    bytes: process.resourceUsage().maxRSS * 1024,
    seconds: (performance.now() - begin) / 1000,
  };
}
