import type { AuthCheckerFn } from "type-graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { unauthenticated } from "../services/access.ts";
import type { Scope } from "../services/access-records.ts";

/** `@Authorized()` asks for any valid key, `@Authorized("scope")` for one with that scope. */
export const authorise: AuthCheckerFn<Context, Scope> = ({ context }, scopes) => {
  if (!context.caller) throw unauthenticated();
  for (const scope of scopes) requireScope(context, scope);
  return true;
};

/** For what depends on the arguments. Fails with FORBIDDEN where the caller's key has not got the scope. */
export function requireScope({ caller }: Pick<Context, "caller">, scope: Scope): void {
  if (caller?.scopes.includes(scope)) return;
  throw new AppError("FORBIDDEN", `This needs a key with the scope "${scope}"; yours has not got it.`, {
    scope,
  });
}
