import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { PURIFY, quickPurification, startTestServer, type TestServer } from "../app/server.ts";
import { Receiver } from "../services/webhooks/receiver.ts";

const CREATE = `mutation ($url: String!, $secret: String) {
  createWebhook(url: $url, events: [JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED, ALIAS_MOVED], secret: $secret) {
    webhook { id url events failures disabledAt } secret userErrors { code path message }
  }
}`;

let server: TestServer;
let receiver: Receiver;
let id: string;

beforeAll(async () => {
  receiver = await Receiver.start();
  server = await startTestServer({ WEBHOOK_HOSTS: "127.0.0.1" });
  const { data } = await server.ask(CREATE, { url: receiver.url });
  expect(data.createWebhook).toMatchObject({
    webhook: { url: receiver.url, failures: 0, disabledAt: null },
    secret: expect.stringMatching(/^whsec_/),
    userErrors: [],
  });
  id = data.createWebhook.webhook.id;
});
afterAll(() => receiver.close());

describe("a webhook", () => {
  test("can be tried out, and the log tells what came of it", async () => {
    const { data } = await server.ask(
      `mutation ($id: ID!) { testWebhook(id: $id) { delivery { id event status } userErrors { code } } }`,
      { id },
    );
    const { delivery } = data.testWebhook;
    expect(delivery).toMatchObject({ event: "webhook.test", status: "PENDING" });
    const query = `query ($id: ID!) { node(id: $id) { ... on Webhook { deliveries(first: 1) {
      edges { node { id status attempts lastStatus } } pageInfo { hasNextPage } } } } }`;
    const newest = async () => (await server.ask(query, { id })).data.node.deliveries.edges[0].node;
    while ((await newest()).status === "PENDING") await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await newest()).toEqual({ id: delivery.id, status: "DELIVERED", attempts: 1, lastStatus: 204 });
    expect(receiver.received.at(-1)?.headers["webhook-id"]).toBe(delivery.id);
  });

  test("is told of a job's success and of the alias that it moved", async () => {
    const before = receiver.received.length;
    const { data } = await server.ask(PURIFY, { input: quickPurification("told"), key: "told" });
    await receiver.until(before + 2);
    const told = receiver.received.slice(before).map(({ body }) => JSON.parse(body));
    expect(told).toContainEqual(
      expect.objectContaining({
        type: "job.succeeded",
        data: expect.objectContaining({ tenant: "demo", jobId: data.purify.job.id, kind: "purify" }),
      }),
    );
    expect(told).toContainEqual(
      expect.objectContaining({
        type: "alias.moved",
        data: expect.objectContaining({ promptSetId: "promptset_told", alias: "live", from: null }),
      }),
    );
  });

  test("does not show its secret again, and a secret that is given is not shown at all", async () => {
    const secret = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    const { data } = await server.ask(CREATE, { url: receiver.url, secret });
    expect(data.createWebhook).toMatchObject({ secret: null, userErrors: [] });
    const { data: listed } = await server.ask("{ webhooks { id url events } }");
    expect(listed.webhooks).toHaveLength(2);
    expect(JSON.stringify(listed)).not.toContain("whsec");
    const remove = `mutation ($id: ID!) { deleteWebhook(id: $id) { webhook { id } userErrors { code } } }`;
    const made = { id: data.createWebhook.webhook.id };
    expect((await server.ask(remove, made)).data.deleteWebhook).toMatchObject({
      webhook: made,
      userErrors: [],
    });
    expect((await server.ask(remove, made)).data.deleteWebhook.userErrors).toEqual([{ code: "NOT_FOUND" }]);
  });

  test.each([
    "http://10.0.0.1/",
    "https://169.254.169.254/latest",
    "http://example.com/",
    "https://localhost:9999",
    "file:///etc/passwd",
  ])("is not made for %s", async (url) => {
    const { data } = await server.ask(CREATE, { url });
    expect(data.createWebhook).toMatchObject({
      webhook: null,
      secret: null,
      userErrors: [{ code: "VALIDATION_FAILED", path: ["url"] }],
    });
  });

  test("of another tenant is not there", async () => {
    const stranger = { key: await server.tenant("stranger", ["PROMPTS_WRITE"]) };
    expect((await server.ask("{ webhooks { id } }", {}, stranger)).data.webhooks).toEqual([]);
    const found = await server.ask("query ($id: ID!) { node(id: $id) { id } }", { id }, stranger);
    expect(found.data.node).toBeNull();
    for (const mutation of ["testWebhook", "enableWebhook", "deleteWebhook"]) {
      const query = `mutation ($id: ID!) { ${mutation}(id: $id) { userErrors { code } } }`;
      const { data } = await server.ask(query, { id }, stranger);
      expect(data[mutation].userErrors).toEqual([{ code: "NOT_FOUND" }]);
    }
  });
});
