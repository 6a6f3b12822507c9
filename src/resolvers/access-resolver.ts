import { Arg, Ctx, ID, Int, Mutation, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { ApiKey } from "../models/api-key.ts";
import { DateTime } from "../models/date-time.ts";
import { KeyPayload } from "../models/key-payload.ts";
import { Scope } from "../models/scope.ts";
import { Tenant } from "../models/tenant.ts";
import { TenantPayload } from "../models/tenant-payload.ts";
import type { Scope as ScopeName } from "../services/access-records.ts";
import type { IssuedKey } from "../services/api-keys.ts";
import { NeedsScope } from "./authorise.ts";
import { requireId } from "./identifiers.ts";
import { payload } from "./user-errors.ts";
import { viewKey, viewTenant } from "./views.ts";

const TENANT = { description: "The tenant's name." } as const;
const ONE_DAY = 24 * 3600;

@Resolver()
export class AccessResolver {
  @NeedsScope("admin")
  @Query(() => [Tenant], { description: "All of them, suspended ones too." })
  async tenants(@Ctx() { server }: Context): Promise<Tenant[]> {
    return (await server.access.tenants()).map(viewTenant);
  }

  @NeedsScope("admin")
  @Query(() => [ApiKey], { name: "keys", description: "The keys of all tenants, revoked ones among them." })
  async listKeys(@Ctx() { server }: Context): Promise<ApiKey[]> {
    const { keys } = server.access;
    const uses = await keys.use.times();
    return (await keys.list()).map((record) => viewKey(record, uses.get(record.id)));
  }

  @NeedsScope("admin")
  @Mutation(() => TenantPayload, {
    description: "Makes a tenant that has nothing yet; give it a key with createKey.",
  })
  createTenant(@Arg("name", () => String) name: string, @Ctx() { server }: Context): Promise<TenantPayload> {
    return payload(async () => ({ tenant: viewTenant(await server.access.createTenant(name)) }));
  }

  @NeedsScope("admin")
  @Mutation(() => TenantPayload, {
    description:
      "Refuses the tenant's keys from now on, and ends its subscriptions. Its data stay; jobs that run come to their end.",
  })
  suspendTenant(
    @Arg("tenant", () => String, TENANT) tenant: string,
    @Arg("reason", () => String, { nullable: true, description: "Told to its callers." })
    reason: string | undefined,
    @Ctx() { server }: Context,
  ): Promise<TenantPayload> {
    return payload(async () => ({
      tenant: viewTenant(await server.access.suspendTenant(tenant, reason ?? undefined)),
    }));
  }

  @NeedsScope("admin")
  @Mutation(() => TenantPayload, { description: "Lets a suspended tenant in again." })
  restoreTenant(
    @Arg("tenant", () => String, TENANT) tenant: string,
    @Ctx() { server }: Context,
  ): Promise<TenantPayload> {
    return payload(async () => ({ tenant: viewTenant(await server.access.restoreTenant(tenant)) }));
  }

  @NeedsScope("admin")
  @Mutation(() => KeyPayload, { description: "Makes a key for a tenant; the secret is answered this once." })
  createKey(
    @Arg("tenant", () => String, TENANT) tenant: string,
    @Arg("name", () => String, { description: "Tells keys apart, e.g. in an alias's history." }) name: string,
    @Arg("scopes", () => [Scope]) scopes: ScopeName[],
    @Arg("expiresAt", () => DateTime, { nullable: true, description: "By default it has no end." })
    expiresAt: string | undefined,
    @Ctx() { server }: Context,
  ): Promise<KeyPayload> {
    return payload(async () =>
      issued(await server.access.keys.create({ tenant, name, scopes, expiresAt: expiresAt ?? undefined })),
    );
  }

  @NeedsScope("admin")
  @Mutation(() => KeyPayload, {
    description:
      "Gives a key a new secret, answered this once; the old one goes on working during the grace, and those of earlier rotations no longer than that. With a grace of 0 only the new one works.",
  })
  rotateApiKey(
    @Arg("id", () => ID) id: string,
    @Arg("graceSeconds", () => Int, {
      nullable: true,
      defaultValue: ONE_DAY,
      description: "0 to 2,592,000 (30 days).",
    })
    graceSeconds: number,
    @Ctx() { server }: Context,
  ): Promise<KeyPayload> {
    return payload(async () =>
      issued(await server.access.keys.rotate(requireId("key", id, "id"), graceSeconds ?? ONE_DAY)),
    );
  }

  @NeedsScope("admin")
  @Mutation(() => KeyPayload, {
    description:
      "The key is refused from now on, by every server, and its subscriptions end. The last admin key without an end is kept.",
  })
  revokeKey(@Arg("id", () => ID) id: string, @Ctx() { server }: Context): Promise<KeyPayload> {
    return payload(async () => ({
      key: viewKey(await server.access.keys.revoke(requireId("key", id, "id"))),
    }));
  }
}

const issued = ({ record, secret }: IssuedKey) => ({ key: viewKey(record), secret });
