import type { JobPayload } from "../models/job-payload.ts";
import type { Started } from "../services/jobs.ts";
import { payload } from "./user-errors.ts";
import { viewJob, viewPlan } from "./views.ts";

export const KEY = {
  description: "A repeated request with the same key answers the first one's job, as often as it is sent.",
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
