import type { AuthCheckerFn } from "type-graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { unauthenticated } from "../services/access.ts";
import type { Scope } from "../services/access-records.ts";

/** `@Authorized()` asks for any valid key, `@Authorized("scope")` for one with that scope. */
export const authorise: AuthCheckerFn<Context, Scope> = ({ context }, scopes) => {
  if (!context.caller) throw unauthenticated();
  const missing = scopes.find((scope) => !context.caller?.scopes.includes(scope));
  if (missing === undefined) return true;
  throw new AppError("FORBIDDEN", `This needs a key with the scope "${missing}"; yours has not got it.`, {
    scope: missing,
  });
};
