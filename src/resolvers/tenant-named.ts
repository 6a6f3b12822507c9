import type { Context } from "../context.ts";
import { unauthenticated } from "../services/access.ts";
import { notFound } from "../services/not-found.ts";

/** The tenant that a caller asks about: their own by default; any for an admin. NOT_FOUND for anybody else's. */
export function tenantNamed(name: string | undefined | null, { caller }: Context): string {
  if (!caller) throw unauthenticated();
  if (name == null || name === caller.tenant) return caller.tenant;
  if (caller.scopes.includes("admin")) return name;
  throw notFound("tenant", name);
}
