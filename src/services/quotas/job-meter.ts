import type { JobMeter } from "../../jobs/job-meter.ts";
import type { UsageMeter } from "./usage-meter.ts";

/** Counts what jobs take as their tenants' compute seconds. */
export const meterJobs = (meter: UsageMeter): JobMeter => ({
  charge: async (tenant, seconds) => {
    if (seconds > 0) meter.count(tenant, "computeSeconds", seconds);
    return meter.spent(tenant, "computeSeconds");
  },
});
