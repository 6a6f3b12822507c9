import type { Store } from "../../store/store.ts";
import {
  endOfWindow,
  type Quota,
  type QuotaWindow,
  RESOURCES,
  type Resource,
  readQuotas,
  writeQuota,
} from "./quota.ts";
import { StoredBytes } from "./stored-bytes.ts";
import type { UsageMeter } from "./usage-meter.ts";
import { reportUsage, type UsagePeriod } from "./usage-report.ts";

/** A limit with what is used of it now. */
export interface QuotaUse extends Quota {
  readonly resource: Resource;
  readonly used: number;
  readonly resetsAt?: string;
}

/** What tenants use and may use, for whoever asks. */
export class Usage {
  constructor(
    private readonly store: Store,
    private readonly meter: UsageMeter,
    private readonly now: () => Date = () => new Date(),
  ) {}

  async quotas(tenant: string): Promise<QuotaUse[]> {
    const quotas = await readQuotas(this.store, tenant);
    return Promise.all(
      RESOURCES.flatMap((resource) => {
        const quota = quotas[resource];
        return quota ? [this.use(tenant, resource, quota)] : [];
      }),
    );
  }

  /** Fails with VALIDATION_FAILED for a limit that is none. Without one there is no limit any more. */
  async setQuota(
    tenant: string,
    resource: Resource,
    quota: { readonly limit: number | undefined; readonly window?: QuotaWindow },
  ): Promise<void> {
    await writeQuota(this.store, tenant, resource, quota);
    this.meter.forget(tenant);
  }

  /** Including what this server has counted up to now. */
  async report(
    tenant: string,
    range: { readonly from: Date; readonly to: Date; readonly granularity: QuotaWindow },
  ): Promise<UsagePeriod[]> {
    await this.meter.flush();
    return reportUsage(this.store, tenant, range);
  }

  private async use(tenant: string, resource: Resource, quota: Quota): Promise<QuotaUse> {
    const used =
      resource === "storedBytes"
        ? await new StoredBytes(this.store, tenant).total()
        : await this.meter.usedIn(tenant, resource, quota);
    const resetsAt = quota.window && endOfWindow(quota.window, this.now()).toISOString();
    return { resource, ...quota, used, resetsAt };
  }
}
