import { type PlannedBytes, type PlannedPhase, type RunPlan, WORK_KINDS } from "../engine/cbpt/plan.ts";
import type { Device } from "../engine/runtime/device.ts";
import { epochsTold, savesWithin } from "../jobs/handlers/clock.ts";
import type { Calibration, PlanResult } from "../jobs/handlers/plan.ts";
import type { AuditSpec, DefendSpec, PurifySpec } from "../jobs/handlers/spec.ts";
import { type PlannedKind, type PlanningOptions, planJob } from "../jobs/planning.ts";
import { type Supplies, supply } from "../jobs/supplies.ts";
import { digestOf } from "./canonical.ts";
import { LeastRecent } from "./least-recent.ts";

/** What a job will do and take. */
export interface Estimate {
  readonly device: Device;
  readonly threads: number;
  readonly phases: readonly (Omit<PlannedPhase, "flops" | "epochs"> & {
    readonly flops: number;
    readonly seconds: number;
  })[];
  readonly seconds: number;
  /** Most memory of the job's process, estimated: what the calibration's process had, the shots and the state. */
  readonly peakMemoryBytes: number;
  readonly savedStateBytes: number;
  readonly artifactBytes: number;
  readonly assumptions: readonly string[];
  readonly calibration: Calibration & { readonly measuredAt: string };
}

type PlannedSpec = AuditSpec | PurifySpec | DefendSpec;

const CALIBRATIONS_KEPT = 256;

/** Plans jobs and says how long they will take here. Plans are made one at a time; a speed is measured once. */
export class Estimates {
  private readonly calibrations = new LeastRecent<Estimate["calibration"]>(CALIBRATIONS_KEPT);
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: PlanningOptions & { readonly supplies?: Supplies }) {}

  /** @param weights digest of the model's weights. */
  async of(kind: PlannedKind, spec: PlannedSpec, weights: string): Promise<Estimate> {
    const estimate = this.last.then(() => this.make(kind, spec, weights));
    this.last = estimate.catch(() => {});
    return estimate;
  }

  private async make(kind: PlannedKind, spec: PlannedSpec, weights: string): Promise<Estimate> {
    const { threads, supplies } = this.options;
    const device = spec.device ?? this.options.device;
    const key = calibrationKey(spec, weights, device);
    const known = this.calibrations.get(key);
    const order = { ...spec, calibration: known };
    const result = await planJob(kind, supplies ? await supply(order, supplies) : order, this.options);
    const calibration = known ?? { ...result.calibration, measuredAt: new Date().toISOString() };
    this.calibrations.set(key, calibration);
    return { device, threads, calibration, ...costsOf(kind, result, spec.shots.length) };
  }
}

/** What changes the speed or the memory of the programs. */
function calibrationKey(spec: PlannedSpec, weights: string, device: Device): string {
  const { labels, shots } = spec;
  return digestOf({ weights, device, labels, shots: shots.length, ...programsOf(spec) });
}

/** What the programs of a run follow from, beside the model and the shots. */
function programsOf(spec: PlannedSpec): object {
  if ("defence" in spec) {
    const { defence, templates, parameters } = spec;
    const { epochs: _, ...others } = parameters;
    return { defence, templates, parameters: others };
  }
  const { innerBatch, batchSize, contextTokens } = spec.config;
  return { mode: "mode" in spec ? spec.mode : "UNIVERSAL", innerBatch, batchSize, contextTokens };
}

function costsOf(kind: PlannedKind, { plan, calibration }: PlanResult, shots: number) {
  const phases = plan.phases.map((phase) => ({ ...phase, ...workOf(kind, phase, calibration, shots) }));
  return {
    phases,
    seconds: phases.reduce((sum, { seconds }) => sum + seconds, 0),
    ...bytesOf(plan, calibration),
  };
}

function workOf(kind: PlannedKind, { name, flops, epochs }: PlannedPhase, speed: Calibration, shots: number) {
  const { rates, epochSeconds, decodeSeconds } = speed;
  const computing = WORK_KINDS.reduce((sum, kind) => sum + flops[kind] / rates[kind], 0);
  const saves = kind === "defend" ? savesWithin(computing) : epochsTold(epochs, computing);
  return {
    flops: WORK_KINDS.reduce((sum, kind) => sum + flops[kind], 0),
    seconds: computing + saves * epochSeconds + (name === "prepare" ? shots * decodeSeconds : 0),
  };
}

function bytesOf({ bytes, assumptions }: RunPlan, calibration: Calibration) {
  const { shots, state, saved, artifact }: PlannedBytes = bytes;
  return {
    peakMemoryBytes: calibration.bytes + shots + state,
    savedStateBytes: saved,
    artifactBytes: artifact,
    assumptions,
  };
}
