import type { GraphQLSchema } from "graphql";
import type { Gauge } from "prom-client";
import { withEnd } from "./with-end.ts";

/**
 * Counts the subscriptions of the schema whose source is open, whatever transport carries them: until the source
 * itself has ended, and not only whoever read it.
 */
export function countSubscriptions(schema: GraphQLSchema, open: Gauge): void {
  for (const field of Object.values(schema.getSubscriptionType()?.getFields() ?? {})) {
    const { subscribe } = field;
    field.subscribe = async (...request) => {
      const source = (await subscribe?.(...request)) as AsyncIterable<unknown>;
      open.inc();
      return withEnd(source, () => open.dec());
    };
  }
}
