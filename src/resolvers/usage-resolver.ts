import { Arg, Authorized, Ctx, FieldResolver, Mutation, Query, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { BigIntScalar } from "../models/big-int.ts";
import { DateTime } from "../models/date-time.ts";
import { Quota } from "../models/quota.ts";
import { QuotaPayload } from "../models/quota-payload.ts";
import { QuotaResource } from "../models/quota-resource.ts";
import { QuotaWindow } from "../models/quota-window.ts";
import { Tenant } from "../models/tenant.ts";
import { UsagePeriod } from "../models/usage-period.ts";
import { Viewer } from "../models/viewer.ts";
import type { Resource, QuotaWindow as WindowName } from "../services/quotas/quota.ts";
import { NeedsScope } from "./authorise.ts";
import { tenantNamed } from "./tenant-named.ts";
import { payload } from "./user-errors.ts";
import { viewTenant } from "./views.ts";

@Resolver(() => Tenant)
export class TenantQuotasResolver {
  @Authorized()
  @Query(() => [UsagePeriod], {
    description: "What a tenant used, by day or month, oldest first; at most 400 of them. Costs 10.",
    complexity: 10,
  })
  async usage(
    @Arg("from", () => DateTime) from: string,
    @Arg("to", () => DateTime, { description: "Up to, but not including." }) to: string,
    @Arg("granularity", () => QuotaWindow, { nullable: true, defaultValue: QuotaWindow.DAY })
    granularity: WindowName,
    @Arg("tenant", () => String, {
      nullable: true,
      description: "By default the caller's own. Another only for the scope admin.",
    })
    tenant: string | undefined,
    @Ctx() context: Context,
  ): Promise<UsagePeriod[]> {
    const range = { from: new Date(from), to: new Date(to), granularity: granularity ?? QuotaWindow.DAY };
    return context.server.usage.report(tenantNamed(tenant, context), range);
  }

  @NeedsScope("admin")
  @Mutation(() => QuotaPayload, {
    description:
      "Sets a tenant's limit of something, or takes it away. It holds within two seconds on every server.",
  })
  setQuota(
    @Arg("tenant", () => String, { description: "The tenant's name." }) tenant: string,
    @Arg("resource", () => QuotaResource) resource: Resource,
    @Arg("limit", () => BigIntScalar, { nullable: true, description: "Absent or null: no limit." })
    limit: number | undefined,
    @Arg("window", () => QuotaWindow, {
      nullable: true,
      defaultValue: QuotaWindow.MONTH,
      description: "Has no meaning for what is stored.",
    })
    window: WindowName,
    @Ctx() { server }: Context,
  ): Promise<QuotaPayload> {
    return payload(async () => {
      const record = await server.access.requireTenant(tenant);
      await server.usage.setQuota(tenant, resource, {
        limit: limit ?? undefined,
        window: window ?? undefined,
      });
      return { tenant: viewTenant(record) };
    });
  }

  @FieldResolver(() => [Quota])
  quotas(@Root() { name }: Tenant, @Ctx() { server }: Context): Promise<Quota[]> {
    return server.usage.quotas(name);
  }
}

@Resolver(() => Viewer)
export class ViewerQuotasResolver {
  @FieldResolver(() => [Quota])
  quotas(@Root() { tenant }: Viewer, @Ctx() { server }: Context): Promise<Quota[]> {
    return server.usage.quotas(tenant);
  }
}
