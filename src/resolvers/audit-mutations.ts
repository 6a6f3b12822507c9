import {
  defaultFieldResolver,
  type GraphQLArgument,
  type GraphQLFieldResolver,
  GraphQLID,
  type GraphQLInputField,
  type GraphQLSchema,
  getNamedType,
  isInputObjectType,
} from "graphql";
import type { Context } from "../context.ts";
import { AppError, type ErrorCode } from "../errors.ts";
import { globalId, type IdKind, kindOf } from "../services/global-id.ts";

type Resolve = GraphQLFieldResolver<unknown, Context>;

/** Arguments that name something without being its id. */
const NAMED: Readonly<Record<string, IdKind>> = { tenant: "tenant", promptSet: "promptset" };
const LONGEST_ID = 120;
const SECRET = /antidote_|whsec_/i;

/**
 * Writes every mutation of the schema into the audit log, whatever transport carries it: a mutation that is added
 * later is logged without a word of its own. Calls without a key are refused before they do anything, and not logged.
 */
export function auditMutations(schema: GraphQLSchema): void {
  for (const field of Object.values(schema.getMutationType()?.getFields() ?? {}))
    field.resolve = logged(field.name, field.args, field.resolve ?? defaultFieldResolver);
}

function logged(operation: string, parameters: readonly GraphQLArgument[], resolve: Resolve): Resolve {
  return async (source, values, context, info) => {
    const perform = async () => resolve(source, values, context, info);
    const { caller, requestId, server } = context;
    if (!caller) return perform();
    const touched = [...new Set(named(parameters, values))];
    const entry = await server.auditLog.begin(caller, { operation, touched, requestId });
    const end = (outcome: "OK" | ErrorCode, made: readonly string[]) =>
      // It has happened, whether or not its outcome can be written.
      server.auditLog.end(entry, outcome, made).catch(() => {});
    try {
      const payload = await perform();
      await end(outcomeOf(payload), made(payload));
      return payload;
    } catch (error) {
      await end(error instanceof AppError ? error.code : "INTERNAL", []);
      throw error;
    }
  };
}

/** The ids among the arguments, by their types: no other text can get into the log. */
function named(
  parameters: readonly (GraphQLArgument | GraphQLInputField)[],
  values: Readonly<Record<string, unknown>>,
): string[] {
  return parameters.flatMap(({ name, type }) => {
    const given = values[name];
    const inner = getNamedType(type);
    const items = (Array.isArray(given) ? given : [given]).filter((item) => item != null);
    if (isInputObjectType(inner)) {
      const fields = Object.values(inner.getFields());
      return items.flatMap((item) => named(fields, item as Record<string, unknown>));
    }
    const texts = items.filter((item): item is string => typeof item === "string");
    if (inner === GraphQLID) return texts.flatMap(asId);
    return name in NAMED ? texts.flatMap((text) => asId(globalId(NAMED[name], text))) : [];
  });
}

/** The ids of what a payload's fields hold. */
function made(payload: unknown): string[] {
  const parts = Object.values((payload ?? {}) as Record<string, unknown>);
  return parts.flatMap((part) => asId((part as { id?: unknown } | undefined | null)?.id));
}

/** What is no id stays out, and so does a secret that was pasted where an id or a name belongs. */
const asId = (id: unknown): string[] =>
  typeof id === "string" && id.length <= LONGEST_ID && kindOf(id) && !SECRET.test(id) ? [id] : [];

function outcomeOf(payload: unknown): "OK" | ErrorCode {
  const { userErrors } = (payload ?? {}) as { userErrors?: readonly { readonly code: ErrorCode }[] };
  return userErrors?.[0]?.code ?? "OK";
}
