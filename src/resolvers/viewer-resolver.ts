import { Authorized, Ctx, FieldResolver, Query, Resolver, Root } from "type-graphql";
import type { Context } from "../context.ts";
import { Budget } from "../models/budget.ts";
import { Viewer } from "../models/viewer.ts";
import { unauthenticated } from "../services/access.ts";

@Resolver(() => Viewer)
export class ViewerResolver {
  @Authorized()
  @Query(() => Viewer, { description: "Whose key this is, and what it may do." })
  viewer(@Ctx() { caller }: Context): Viewer {
    if (!caller) throw unauthenticated();
    return { tenant: caller.tenant, key: caller.keyName, scopes: [...caller.scopes] };
  }

  @FieldResolver(() => Budget)
  async budget(@Root() { tenant }: Viewer, @Ctx() { server }: Context): Promise<Budget> {
    const { limit, restorePerSecond } = server.budget;
    return { limit, restorePerSecond, remaining: await server.budget.remaining(tenant) };
  }
}
