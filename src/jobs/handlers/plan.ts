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
import { type PlannedRun, planDefence } from "../../engine/defences/index.ts";
import type { JobContext, JobHandler } from "../job.ts";
import type { PlannedKind } from "../planning.ts";
import { deviceOf } from "./device.ts";
import { loadImage } from "./images.ts";
import { defendSpec, parseSpec, purifySpec, requireLabels } from "./spec.ts";

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

/** One of an earlier plan, which is then not measured again. */
const known = z.object({
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

const searchSpec = purifySpec.extend(known.shape);
const defenceSpec = defendSpec.extend(known.shape);

const planner =
  (makePlan: (size: RunSize) => RunPlan): JobHandler<unknown, PlanResult> =>
  async (given, context) => {
    const spec = parseSpec(searchSpec, given);
    const { checkpoint, device } = await opened(spec, context);
    const config = completeConfig(spec.mode, spec.config);
    const size = await sizeOfRun({ ...spec, checkpoint, config, device });
    const { threads } = context;
    const calibrateRun: Calibrate = (sample, save) => calibrate({ ...size, threads }, sample, save);
    return { plan: makePlan(size), calibration: await calibrated(spec, checkpoint, calibrateRun, context) };
  };

const defencePlanner: JobHandler<unknown, PlanResult> = async (given, context) => {
  const { defence, ...spec } = parseSpec(defenceSpec, given);
  const { checkpoint, device } = await opened(spec, context);
  const run = await planDefence(defence, { ...spec, checkpoint, device, threads: context.threads });
  return { plan: run.plan, calibration: await calibrated(spec, checkpoint, run.calibrate, context) };
};

/** In place of the jobs' handlers: they tell what a job would do, and do nothing. */
export const handlers: Readonly<Record<PlannedKind, JobHandler<unknown, PlanResult>>> = {
  audit: planner(planAudit),
  purify: planner(planPurification),
  defend: defencePlanner,
};

type AnySpec = z.infer<typeof searchSpec> | Omit<z.infer<typeof defenceSpec>, "defence">;
type Calibrate = PlannedRun["calibrate"];

async function opened(spec: AnySpec, context: JobContext) {
  requireLabels(spec.shots, spec.labels);
  const checkpoint = await openCheckpoint(spec.modelFolder);
  return { checkpoint, device: await deviceOf(spec, context) };
}

/** The calibration that is known already, or one that is measured now. */
async function calibrated(
  { shots, calibration }: AnySpec,
  checkpoint: Checkpoint,
  calibrateRun: Calibrate,
  { save }: Pick<JobContext, "save">,
): Promise<Calibration> {
  if (calibration) return calibration;
  const begin = performance.now();
  const sample = [];
  for (const [index, image] of shots.slice(0, SAMPLE).entries())
    sample.push(shotOf(await loadImage(checkpoint, image, index), image.label));
  const decodeSeconds = (performance.now() - begin) / 1000 / sample.length;
  const speed = await calibrateRun(sample, save);
  return {
    ...speed,
    decodeSeconds,
    bytes: process.resourceUsage().maxRSS * 1024,
    seconds: (performance.now() - begin) / 1000,
  };
}
