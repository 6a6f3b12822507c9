import { defaultFieldResolver, type GraphQLSchema } from "graphql";
import type { Context } from "../context.ts";
import type { AppError } from "../errors.ts";

/** The last event of a subscription whose caller may no longer be here. */
class Farewell {
  constructor(readonly reason: AppError) {}
}

/**
 * Ends every subscription of the schema, whatever transport carries it, once its key is revoked, expired or rotated
 * away, or its tenant is suspended. A last answer says why.
 */
export function endWithAccess(schema: GraphQLSchema): void {
  for (const field of Object.values(schema.getSubscriptionType()?.getFields() ?? {})) {
    const { subscribe, resolve = defaultFieldResolver } = field;
    field.subscribe = async (source, values, context: Context, info) =>
      untilEnded((await subscribe?.(source, values, context, info)) as AsyncIterable<unknown>, context);
    field.resolve = (event, values, context: Context, info) => {
      if (event instanceof Farewell) throw event.reason;
      return resolve(event, values, context, info);
    };
  }
}

function untilEnded(source: AsyncIterable<unknown>, context: Context): AsyncIterableIterator<unknown> {
  const events = source[Symbol.asyncIterator]();
  const leaving = new AbortController();
  let farewell: Farewell | undefined;
  let over = false;
  const { caller, server } = context;
  if (caller)
    void server.access.ended(caller, leaving.signal).then((reason) => {
      farewell = new Farewell(reason);
      leaving.abort();
      return events.return?.();
    });
  const end = (value?: unknown) => {
    over = true;
    leaving.abort();
    return { done: true, value } as const;
  };
  const nextEvent = async () => {
    try {
      return await events.next();
    } catch (error) {
      // Whoever reads a source that has failed does not return it.
      end();
      throw error;
    }
  };
  return {
    next: async () => {
      const event = over || farewell ? undefined : await nextEvent();
      if (farewell && !over) {
        over = true;
        return { done: false, value: farewell };
      }
      return event && !event.done ? event : end();
    },
    return: async () => {
      const ended = end();
      await events.return?.();
      return ended;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
