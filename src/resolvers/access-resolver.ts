import { Arg, Authorized, Ctx, ID, Mutation, Query, Resolver } from "type-graphql";
import type { Context } from "../context.ts";
import { ApiKey } from "../models/api-key.ts";
import { KeyPayload } from "../models/key-payload.ts";
import { Scope } from "../models/scope.ts";
import { Tenant } from "../models/tenant.ts";
import { TenantPayload } from "../models/tenant-payload.ts";
import type { Scope as ScopeName } from "../services/access.ts";
import { requireId } from "./identifiers.ts";
import { payload } from "./user-errors.ts";
import { viewKey, viewTenant } from "./views.ts";

@Resolver()
export class AccessResolver {
  @Authorized("admin")
  @Query(() => [Tenant])
  async tenants(@Ctx() { server }: Context): Promise<Tenant[]> {
    return (await server.access.tenants()).map(viewTenant);
  }

  @Authorized("admin")
  @Query(() => [ApiKey], { description: "The keys of all tenants, revoked ones among them." })
  async keys(@Ctx() { server }: Context): Promise<ApiKey[]> {
    return (await server.access.keys()).map(viewKey);
  }

  @Authorized("admin")
  @Mutation(() => TenantPayload)
  createTenant(@Arg("name", () => String) name: string, @Ctx() { server }: Context): Promise<TenantPayload> {
    return payload(async () => ({ tenant: viewTenant(await server.access.createTenant(name)) }));
  }

  @Authorized("admin")
  @Mutation(() => KeyPayload, { description: "Makes a key for a tenant; the secret is answered this once." })
  createKey(
    @Arg("tenant", () => String, { description: "The tenant's name." }) tenant: string,
    @Arg("name", () => String, { description: "Tells keys apart, e.g. in an alias's history." }) name: string,
    @Arg("scopes", () => [Scope]) scopes: ScopeName[],
    @Ctx() { server }: Context,
  ): Promise<KeyPayload> {
    return payload(async () => {
      const { record, secret } = await server.access.createKey(tenant, name, scopes);
      return { key: viewKey(record), secret };
    });
  }

  @Authorized("admin")
  @Mutation(() => KeyPayload, { description: "The key is refused from now on." })
  revokeKey(@Arg("id", () => ID) id: string, @Ctx() { server }: Context): Promise<KeyPayload> {
    return payload(async () => ({ key: viewKey(await server.access.revokeKey(requireId("key", id, "id"))) }));
  }
}
