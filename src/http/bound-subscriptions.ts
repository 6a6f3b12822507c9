import type { GraphQLSchema } from "graphql";
import type { Context } from "../context.ts";
import { AppError } from "../errors.ts";
import { withEnd } from "./with-end.ts";

/** Ten connections full of them; those of a client that was cut off stay for a while beside its new ones. */
const MOST_SUBSCRIPTIONS = 1000;

/**
 * Bounds the subscriptions of each tenant that are open at this server, whatever transports and however many
 * connections carry them. One more fails with QUOTA_EXCEEDED.
 */
export function boundSubscriptions(schema: GraphQLSchema, most = MOST_SUBSCRIPTIONS): void {
  const open = new Map<string, number>();
  for (const field of Object.values(schema.getSubscriptionType()?.getFields() ?? {})) {
    const { subscribe } = field;
    field.subscribe = async (source, values, context: Context, info) => {
      const follow = async () => (await subscribe?.(source, values, context, info)) as AsyncIterable<unknown>;
      // Refused there.
      if (!context.caller) return follow();
      const leave = enter(open, context.caller.tenant, most);
      try {
        return withEnd(await follow(), leave);
      } catch (error) {
        leave();
        throw error;
      }
    };
  }
}

function enter(open: Map<string, number>, tenant: string, most: number): () => void {
  const before = open.get(tenant) ?? 0;
  if (before >= most)
    throw new AppError("QUOTA_EXCEEDED", `A tenant has at most ${most} subscriptions open at once.`);
  open.set(tenant, before + 1);
  return () => {
    const left = (open.get(tenant) ?? 1) - 1;
    if (left > 0) open.set(tenant, left);
    else open.delete(tenant);
  };
}
