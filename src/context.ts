import type { UploadReader } from "./http/uploads.ts";
import type { AccessService, Caller } from "./services/access.ts";
import type { CostBudget } from "./services/budget.ts";
import type { ModelRegistry } from "./services/registry.ts";
import type { SampleImages } from "./services/samples.ts";
import type { Serving } from "./services/serving.ts";
import type { Tenant } from "./services/tenant.ts";

/** What a resolver is given: whoever asks, and the doors that their key opens. */
export interface Context {
  readonly requestId: string;
  /** Absent without a key; fields that need one then fail with UNAUTHENTICATED. */
  readonly caller: Caller | undefined;
  /** The caller's tenant. Fails with UNAUTHENTICATED when there is no caller. */
  readonly tenant: Tenant;
  readonly uploads: UploadReader;
  /** Aborted when whoever asks has gone. */
  readonly signal: AbortSignal | undefined;
  /** What is the same for every tenant. */
  readonly server: {
    readonly models: ModelRegistry;
    readonly serving: Serving;
    readonly samples: SampleImages;
    readonly budget: CostBudget;
    /** Only for fields that ask for the scope `admin`. */
    readonly access: AccessService;
  };
}
