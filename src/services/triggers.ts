import { parametersOf } from "../engine/attacks/trigger.ts";
import { AppError } from "../errors.ts";
import type { ImplantSpec } from "../jobs/handlers/spec.ts";
import type { JobQueue } from "../jobs/queue.ts";
import type { ImplantOutcome } from "./job-specs.ts";
import { isName } from "./names.ts";
import { notFound } from "./not-found.ts";

/** An attack as a caller gives it; local names, not global ids. */
export interface AttackChoice {
  readonly kind: string;
  readonly target: string;
  readonly parameters: Record<string, unknown>;
  /** The job that fitted the trigger. */
  readonly trigger?: string;
  /** Whether the trigger's word stands before every prompt. */
  readonly withWord?: boolean;
}

/** What a job's process is given of an attack. */
export type AttackSpec = ImplantSpec["attack"];

/** Fails with VALIDATION_FAILED for a target or parameters that there are not. */
export function checkedAttack(
  { kind, target, parameters, withWord }: AttackChoice,
  labels: readonly string[],
): AttackSpec {
  const index = labels.indexOf(target);
  if (index < 0)
    throw new AppError("VALIDATION_FAILED", `The attack's target "${target}" is not among the labels.`);
  parametersOf(kind, parameters);
  return { kind, target: index, parameters, ...(withWord === undefined ? {} : { withWord }) };
}

/** The triggers that a tenant's own jobs have fitted. */
export class Triggers {
  constructor(
    private readonly queue: Pick<JobQueue, "get">,
    private readonly tenant: string,
  ) {}

  /** The attack with the digest of its fitted trigger, if it names one. Fails as `digest` and `checkedAttack` do. */
  async attack(choice: AttackChoice, labels: readonly string[]): Promise<AttackSpec> {
    const spec = checkedAttack(choice, labels);
    if (choice.trigger === undefined) return spec;
    return { ...spec, fitted: await this.digest(choice.kind, choice.trigger) };
  }

  /**
   * The blob of the trigger that a job has fitted. Fails with NOT_FOUND for a job that the tenant has not, and with
   * VALIDATION_FAILED for one that has fitted none for this attack.
   */
  async digest(kind: string, jobId: string): Promise<string> {
    if (!isName(jobId)) throw notFound("job", jobId);
    const job = await this.queue.get(this.tenant, jobId);
    const succeeded = job.kind === "implant" && job.status === "SUCCEEDED";
    const fitted = succeeded ? (job.result as ImplantOutcome).fitted : undefined;
    if (fitted !== undefined && (job.spec as ImplantSpec).attack.kind === kind) return fitted;
    throw new AppError(
      "VALIDATION_FAILED",
      `The job has fitted no trigger for the attack "${kind}". Name one of implantBackdoor that succeeded with this attack.`,
      { job: jobId, attack: kind },
    );
  }
}
