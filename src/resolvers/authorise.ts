import type { GraphQLSchema } from "graphql";
import { type AuthCheckerFn, Authorized, Extensions } from "type-graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { Scope as ScopeEnum } from "../models/scope.ts";
import { unauthenticated } from "../services/access.ts";
import type { Scope } from "../services/access-records.ts";

/** `@Authorized()` asks for any valid key; this asks for one with that scope, and the field's description tells it. */
export const NeedsScope =
  (scope: Scope): MethodDecorator =>
  (...method) => {
    Authorized<Scope>(scope)(...method);
    Extensions({ scope })(...method);
  };

/** Adds to the description of each field which scope it needs. */
export function tellScopes(schema: GraphQLSchema): void {
  for (const root of [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()])
    for (const field of Object.values(root?.getFields() ?? {})) {
      const name = Object.entries(ScopeEnum).find(([, scope]) => scope === field.extensions.scope)?.[0];
      if (name) field.description = [field.description, `Needs the scope ${name}.`].filter(Boolean).join(" ");
    }
}

/** What `@Authorized` and `@NeedsScope` ask for. */
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
