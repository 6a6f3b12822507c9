import type { JobPayload } from "../models/job-payload.ts";
import type { Started } from "../services/jobs.ts";
import { payload } from "./user-errors.ts";
import { viewJob, viewPlan } from "./views.ts";

export const KEY = {
  description: "A repeated request with the same key answers the first one's job, as often as it is sent.",
} as const;

export const DRY_RUN = {
  nullable: true,
  defaultValue: false,
  description:
    "Checks everything and starts nothing: there is no job but a plan of what it would take. The first plan of its kind measures the device, which takes up to a minute with a large model.",
} as const;

/** The payload of a mutation that starts a job, or changes one. */
export async function started(start: () => Promise<Started>): Promise<JobPayload> {
  return payload(
    async () => {
      const { job, estimate, replayed } = await start();
      return { job: job && viewJob(job), plan: estimate && viewPlan(estimate), replayed };
    },
    { replayed: false },
  );
}
