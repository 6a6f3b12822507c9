import { expect, test } from "@jest/globals";
import { buildSchema, parse, subscribe } from "graphql";
import { endWithAccess } from "../../src/resolvers/end-with-access.ts";
import { AccessService } from "../../src/services/access.ts";
import type { Store } from "../../src/store/store.ts";

/** A schema whose one subscription has an event and then fails. */
function failingSchema() {
  const schema = buildSchema("type Query { a: Int } type Subscription { event: Int }");
  const field = schema.getSubscriptionType()?.getFields().event;
  if (field)
    field.subscribe = async function* () {
      yield { event: 1 };
      throw new Error("The store is away.");
    };
  endWithAccess(schema);
  return schema;
}

test("a subscription whose source fails watches its key no longer", async () => {
  let watchers = 0;
  const store = {
    get: async () => ({ value: { id: "key", name: "key", tenant: "acme", scopes: [] }, revision: 1 }),
    watch: () => {
      watchers++;
      return () => watchers--;
    },
  } as unknown as Store;
  const contextValue = {
    caller: { tenant: "acme", credential: "hash" },
    server: { access: new AccessService(store) },
  };
  const source = await subscribe({
    schema: failingSchema(),
    document: parse("subscription { event }"),
    contextValue,
  });
  const events = (source as AsyncGenerator)[Symbol.asyncIterator]();
  expect((await events.next()).value).toMatchObject({ data: { event: 1 } });
  expect(watchers).toBe(1);
  await expect(events.next()).rejects.toThrow("The store is away.");
  expect(watchers).toBe(0);
  expect(await events.next()).toMatchObject({ done: true });
});
