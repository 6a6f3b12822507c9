import type { GraphQLSchema } from "graphql";
import type { Gauge } from "prom-client";

/** Counts the subscriptions of the schema whose source is open, whatever transport carries them. */
export function countSubscriptions(schema: GraphQLSchema, open: Gauge): void {
  for (const field of Object.values(schema.getSubscriptionType()?.getFields() ?? {})) {
    const { subscribe } = field;
    field.subscribe = async (...request) =>
      counted((await subscribe?.(...request)) as AsyncIterable<unknown>, open);
  }
}

/** Counted until the source itself has ended, and not only whoever read it. */
function counted(source: AsyncIterable<unknown>, open: Gauge): AsyncIterableIterator<unknown> {
  const events = source[Symbol.asyncIterator]();
  open.inc();
  let ended = false;
  const end = () => {
    if (!ended) open.dec();
    ended = true;
  };
  return {
    next: async () => {
      try {
        const event = await events.next();
        if (event.done) end();
        return event;
      } catch (error) {
        end();
        throw error;
      }
    },
    return: async () => {
      await events.return?.();
      end();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
