import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Receiver } from "../services/webhooks/receiver.ts";
import { describeWithRedis } from "../support/redis-server.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { startTestServer, type TestServer, untilSubscribed } from "./server.ts";

describeWithRedis((redis) => {
  describe("two servers", () => {
    let one: TestServer;
    let other: TestServer;

    beforeAll(async () => {
      const variables = { DATA_DIR: temporaryFolder(), REDIS_URL: redis().url, WEBHOOK_HOSTS: "127.0.0.1" };
      [one, other] = await Promise.all([startTestServer(variables), startTestServer(variables)]);
    });
    // While their Redis is still there.
    afterAll(() => Promise.all([one.close(), other.close()]));

    const follow = "subscription { jobs { id } }";

    describe("what one server takes away ends on the other", () => {
      test.each([
        ["WebSocket", (key: string) => other.follow(follow, {}, key)],
        ["server-sent events", (key: string) => other.stream(follow, {}, key)],
      ])("over %s", async (transport, listen) => {
        const tenant = transport.slice(0, 3);
        const key = await one.tenant(tenant, ["CLASSIFY"]);
        const following = listen(key);
        await untilSubscribed(other);
        await one.ask(
          `mutation { suspendTenant(tenant: "${tenant}", reason: "Unpaid") { userErrors { code } } }`,
        );
        const answers = await following;
        expect(answers.map(({ errors }) => errors?.[0].extensions.code)).toEqual(["FORBIDDEN"]);
        expect((await other.ask("{ viewer { key } }", {}, { key })).errors?.[0].message).toContain("Unpaid");
      });
    });

    test("a quota holds for both together, but for two seconds", async () => {
      const key = await one.tenant("metered", []);
      await one.ask(
        `mutation { setQuota(tenant: "metered", resource: REQUESTS, limit: 10, window: DAY) { userErrors { code } } }`,
      );
      const ask = (server: TestServer) => server.ask("{ viewer { key } }", {}, { key });
      const usedOf = async (server: TestServer) =>
        (await server.ask("{ tenants { name quotas { used } } }")).data.tenants.find(
          ({ name }: { name: string }) => name === "metered",
        ).quotas[0]?.used;
      for (const server of [one, other])
        for (let request = 0; request < 5; request++) expect((await ask(server)).errors).toBeUndefined();
      // Each has written what it let in, and has read what the other did.
      for (const server of [one, other]) await until(async () => (await usedOf(server)) === 10);
      for (const server of [one, other])
        expect((await ask(server)).errors?.[0].extensions).toMatchObject({
          code: "QUOTA_EXCEEDED",
          used: 10,
        });
    });

    test("an event is sent by one of them", async () => {
      const receiver = await Receiver.start();
      const { data } = await one.ask(
        `mutation ($url: String!) { createWebhook(url: $url, events: [ALIAS_MOVED]) { webhook { id } } }`,
        { url: receiver.url },
      );
      const { id } = data.createWebhook.webhook;
      const tests = Array.from({ length: 10 }, () =>
        one.ask(`mutation ($id: ID!) { testWebhook(id: $id) { userErrors { code } } }`, { id }),
      );
      await Promise.all(tests);
      await receiver.until(10);
      const query = `query ($id: ID!) { node(id: $id) { ... on Webhook { deliveries(first: 20) { edges { node { status } } } } } }`;
      const statuses = async () =>
        (await other.ask(query, { id })).data.node.deliveries.edges.map(
          ({ node }: { node: { status: string } }) => node.status,
        );
      await until(async () => !(await statuses()).includes("PENDING"), 50);
      expect(await statuses()).toEqual(Array(10).fill("DELIVERED"));
      expect(receiver.received).toHaveLength(10);
      await receiver.close();
    });
  });
});
