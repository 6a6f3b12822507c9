import { beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createSchema } from "../../src/resolvers/schema.ts";
import {
  PURIFY,
  quickPurification,
  startTestServer,
  type TestServer,
  untilSubscribed,
} from "../app/server.ts";
import { until } from "../support/until.ts";

let server: TestServer;
let key: string;
let id: string;
let count = 0;

beforeAll(async () => {
  server = await startTestServer();
});

/** A tenant of its own for each test, with a key and the key's id. */
beforeEach(async () => {
  const tenant = `tenant-${++count}`;
  key = await server.tenant(tenant, ["PROMPTS_WRITE"]);
  const { data } = await server.ask("{ keys { id tenant } }");
  id = data.keys.find((record: { tenant: string }) => record.tenant === tenant).id;
});

const codeOf = async (call: { key: string }) =>
  (await server.ask("{ viewer { tenant } }", {}, call)).errors?.[0].extensions.code;

describe("the schema", () => {
  const schema = createSchema();
  const fields = { ...schema.getQueryType()?.getFields(), ...schema.getMutationType()?.getFields() };

  test("tells what a field costs that costs more than others", () => {
    const costly = Object.entries(fields).filter(([, { extensions }]) => Number(extensions.complexity) > 1);
    expect(costly.length).toBeGreaterThan(10);
    for (const [name, { description, extensions }] of costly)
      expect(`${name}: ${description}`).toContain(`Costs ${extensions.complexity}.`);
  });

  test.each([
    ["tenants", "ADMIN", "{ tenants { name } }"],
    ["createTenant", "ADMIN", `mutation { createTenant(name: "x") { tenant { id } } }`],
    ["deleteDataset", "DATASETS_WRITE", `mutation { deleteDataset(datasetId: "x") { dataset { id } } }`],
    ["cancelJob", "PROMPTS_WRITE", `mutation { cancelJob(id: "x") { job { id } } }`],
    ["classify", "CLASSIFY", "{ classify(input: { images: [] }) { model { id } } }"],
  ])("tells which scope %s needs, and a key without it is refused", async (name, scope, query) => {
    expect(fields[name].description).toMatch(new RegExp(`Needs the scope ${scope}\\.$`));
    const { data } = await server.ask(
      `mutation { createKey(tenant: "demo", name: "reader", scopes: []) { secret } }`,
    );
    const refused = await server.ask(query, {}, { key: data.createKey.secret });
    const asked = scope.toLowerCase().replace("_", ":");
    expect(refused.errors?.[0].extensions).toMatchObject({ code: "FORBIDDEN", scope: asked });
  });

  test("says nothing of scopes where any key will do", () => {
    expect(fields.viewer.description).not.toContain("scope");
  });
});

test("an id that lacks what its kind begins with is told what that is", async () => {
  const query = `mutation { deleteDataset(datasetId: "scenes-shots") { userErrors { code message path } } }`;
  const [error] = (await server.ask(query)).data.deleteDataset.userErrors;
  expect(error).toEqual({
    code: "NOT_FOUND",
    message: 'There is no dataset "scenes-shots". Such ids begin with "dataset_".',
    path: ["datasetId"],
  });
});

describe("a rotated key", () => {
  test("has a new secret; the old one lives as long as it is told to", async () => {
    const rotate = `mutation ($id: ID!, $graceSeconds: Int) {
      rotateApiKey(id: $id, graceSeconds: $graceSeconds) { secret key { id rotatedAt } userErrors { code } }
    }`;
    const { data } = await server.ask(rotate, { id });
    expect(data.rotateApiKey).toMatchObject({ key: { id, rotatedAt: expect.any(String) }, userErrors: [] });
    for (const secret of [key, data.rotateApiKey.secret])
      expect(await codeOf({ key: secret })).toBeUndefined();
    const again = await server.ask(rotate, { id, graceSeconds: 0 });
    for (const secret of [key, data.rotateApiKey.secret])
      expect(await codeOf({ key: secret })).toBe("UNAUTHENTICATED");
    expect(await codeOf({ key: again.data.rotateApiKey.secret })).toBeUndefined();
    expect((await server.ask(rotate, { id: "key_nobody" })).data.rotateApiKey.userErrors).toEqual([
      { code: "NOT_FOUND" },
    ]);
  });
});

test("an operator cancels a tenant's jobs with a key of it, and then suspends it, as docs/tenancy.md says", async () => {
  const tenant = `tenant-${count}`;
  const theirs = await server.tenant(tenant, ["DATASETS_WRITE", "PROMPTS_WRITE"]);
  const dataset = `mutation { createDataset(input: { name: "scenes-shots", examples: { list: [
    { label: "apple", image: { assetId: "asset_cat" } }, { label: "banana", image: { assetId: "asset_boat" } }
  ] } }) { userErrors { message } } }`;
  expect((await server.ask(dataset, {}, { key: theirs })).data.createDataset.userErrors).toEqual([]);
  const long = { ...quickPurification("set"), labels: ["apple", "banana"], shots: 1, epochs: 2000 };
  const { data: started } = await server.ask(PURIFY, { input: long, key: "k" }, { key: theirs });
  expect(started.purify.userErrors).toEqual([]);
  const { data: made } = await server.ask(
    `mutation ($tenant: String!) {
      createKey(tenant: $tenant, name: "suspension", scopes: [PROMPTS_WRITE], expiresAt: "2100-01-01T00:00:00Z") {
        secret key { id } userErrors { code message }
      }
    }`,
    { tenant },
  );
  const own = { key: made.createKey.secret };
  const live = async () =>
    (
      await server.ask(
        "{ jobs(first: 100, statuses: [QUEUED, VALIDATING, RUNNING, CANCELLING]) { id } }",
        {},
        own,
      )
    ).data.jobs;
  const job = { id: started.purify.job.id };
  expect(await live()).toEqual([job]);
  const cancel = "mutation ($id: ID!) { cancelJob(id: $id) { job { status } userErrors { code message } } }";
  expect((await server.ask(cancel, job)).data.cancelJob.userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
  expect((await server.ask(cancel, job, own)).data.cancelJob.userErrors).toEqual([]);
  await until(async () => (await live()).length === 0);
  const suspend = `mutation ($tenant: String!) { suspendTenant(tenant: $tenant) { userErrors { code } } }`;
  expect((await server.ask(suspend, { tenant })).data.suspendTenant.userErrors).toEqual([]);
  expect(await codeOf(own)).toBe("FORBIDDEN");
});

describe("the last admin key", () => {
  test("is not revoked by accident", async () => {
    const { data } = await server.ask(
      `mutation { revokeKey(id: "key_first") { key { id } userErrors { code message } } }`,
    );
    expect(data.revokeKey).toMatchObject({ key: null, userErrors: [{ code: "VALIDATION_FAILED" }] });
    expect((await server.ask("{ viewer { tenant } }")).errors).toBeUndefined();
  });
});

describe("a key with an end", () => {
  test("says when, and when it was last used", async () => {
    const expiresAt = "2100-01-01T00:00:00.000Z";
    const { data } = await server.ask(
      `mutation ($expiresAt: DateTime) {
        createKey(tenant: "demo", name: "visitor", scopes: [], expiresAt: $expiresAt) { secret key { id expiresAt lastUsedAt } }
      }`,
      { expiresAt },
    );
    expect(data.createKey.key).toMatchObject({ expiresAt, lastUsedAt: null });
    await server.ask("{ viewer { tenant } }", {}, { key: data.createKey.secret });
    const query = "query ($id: ID!) { node(id: $id) { ... on ApiKey { lastUsedAt } } }";
    const lastUsedAt = async () =>
      (await server.ask(query, { id: data.createKey.key.id })).data.node.lastUsedAt;
    // The note of it is written without anybody's waiting for it.
    await until(async () => (await lastUsedAt()) !== null);
    expect(await lastUsedAt()).toMatch(/^20\d\d-/);
  });
});

describe("a subscription", () => {
  const revoke = () =>
    server.ask(`mutation ($id: ID!) { revokeKey(id: $id) { userErrors { code } } }`, { id });
  const suspend = () =>
    server.ask(
      `mutation { suspendTenant(tenant: "tenant-${count}", reason: "Unpaid") { tenant { suspendedFor } userErrors { code } } }`,
    );

  test.each([
    ["its key is revoked", revoke, "UNAUTHENTICATED"],
    ["its tenant is suspended", suspend, "FORBIDDEN"],
  ])("ends with the reason when %s", async (_what, act, code) => {
    const following = server.follow("subscription { jobs { id } }", {}, key);
    await untilSubscribed(server);
    const { data } = await act();
    expect(Object.values(data)[0]).toMatchObject({ userErrors: [] });
    const answers = await following;
    expect(answers.map(({ errors }) => errors?.[0].extensions.code)).toEqual([code]);
    await expect(server.follow("{ viewer { tenant } }", {}, key)).rejects.toMatchObject({ code: 4401 });
    expect(await codeOf({ key })).toBe(code);
  });
});
