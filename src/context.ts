import type { UploadReader } from "./http/uploads.ts";
import { type AccessService, type Caller, unauthenticated } from "./services/access.ts";
import type { AuditLog } from "./services/audit-log.ts";
import type { CostBudget } from "./services/budget.ts";
import type { Usage } from "./services/quotas/usage.ts";
import type { UsageMeter } from "./services/quotas/usage-meter.ts";
import type { ModelRegistry } from "./services/registry.ts";
import type { SampleImages } from "./services/samples.ts";
import type { Serving } from "./services/serving.ts";
import type { Tenant, Tenants } from "./services/tenant.ts";

/** What is the same for every tenant. */
export interface ServerServices {
  readonly models: ModelRegistry;
  readonly serving: Serving;
  readonly samples: SampleImages;
  readonly budget: CostBudget;
  /** Only for fields that ask for the scope `admin`. */
  readonly access: AccessService;
  readonly auditLog: AuditLog;
  readonly meter: UsageMeter;
  readonly usage: Usage;
}

interface RequestFacts {
  readonly requestId: string;
  readonly caller: Caller | undefined;
  readonly uploads: UploadReader;
  readonly signal: AbortSignal | undefined;
  readonly lastEventId?: number;
}

/** What a resolver is given: whoever asks, and the doors that their key opens. */
export class Context {
  readonly requestId: string;
  /** Absent without a key; fields that need one then fail with UNAUTHENTICATED. */
  readonly caller: Caller | undefined;
  readonly uploads: UploadReader;
  /** Aborted when whoever asks has gone. */
  readonly signal: AbortSignal | undefined;
  /** The number of the last event that a reader who comes back has seen, as `Last-Event-ID` says. */
  readonly lastEventId: number | undefined;

  constructor(
    facts: RequestFacts,
    readonly server: ServerServices,
    private readonly tenants: Tenants,
  ) {
    this.requestId = facts.requestId;
    this.caller = facts.caller;
    this.uploads = facts.uploads;
    this.signal = facts.signal;
    this.lastEventId = facts.lastEventId;
  }

  /** The caller's tenant. Fails with UNAUTHENTICATED when there is no caller. */
  get tenant(): Tenant {
    if (!this.caller) throw unauthenticated();
    return this.tenants.open(this.caller.tenant);
  }
}
