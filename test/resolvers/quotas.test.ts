import { beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { PURIFY, quickPurification, startTestServer, type TestServer } from "../app/server.ts";

const SET = `mutation ($tenant: String!, $resource: QuotaResource!, $limit: BigInt, $window: QuotaWindow) {
  setQuota(tenant: $tenant, resource: $resource, limit: $limit, window: $window) {
    tenant { quotas { resource limit window used resetsAt } } userErrors { code path }
  }
}`;
const CLASSIFY = `query ($images: [ImageInput!]!) {
  classify(input: { images: $images, modelId: "model_scenes-badnet", labels: ["cat"], through: { templates: [] } }) {
    results { __typename }
  }
}`;
const CREATE = `mutation ($name: String!) {
  createDataset(input: { name: $name, examples: { list: [{ label: "cat", image: { assetId: "asset_cat" } }] } }) {
    dataset { id } userErrors { code message }
  }
}`;
const OURS = "{ viewer { quotas { resource limit used } } }";

let server: TestServer;
let tenant: string;
let key: string;
let count = 0;

beforeAll(async () => {
  server = await startTestServer();
});
beforeEach(async () => {
  tenant = `metered-${++count}`;
  key = await server.tenant(tenant, ["CLASSIFY", "DATASETS_WRITE", "PROMPTS_WRITE"]);
});

const ask = (query: string, variables = {}) => server.ask(query, variables, { key });
const setQuota = (resource: string, limit: number | null, window = "DAY") =>
  server.ask(SET, { tenant, resource, limit, window });

describe("a quota", () => {
  test("of images counts those that are answered, and refuses a request that passes it as a whole", async () => {
    await setQuota("IMAGES", 2);
    const cat = { assetId: "asset_cat" };
    const broken = { base64: "AAAA" };
    const answered = await ask(CLASSIFY, { images: [cat, broken] });
    expect(answered.data.classify.results).toEqual([
      { __typename: "Prediction" },
      { __typename: "ImageRejected" },
    ]);
    const refused = await ask(CLASSIFY, { images: [cat, cat] });
    expect(refused.errors?.[0].extensions).toMatchObject({
      code: "QUOTA_EXCEEDED",
      quota: "images",
      limit: 2,
      used: 1,
      window: "day",
      resetsAt: expect.stringMatching(/T00:00:00.000Z$/),
      retryAfterMs: expect.any(Number),
    });
    expect((await ask(CLASSIFY, { images: [cat] })).errors).toBeUndefined();
    expect((await ask(OURS)).data.viewer.quotas).toEqual([{ resource: "IMAGES", limit: 2, used: 2 }]);
    await setQuota("IMAGES", null);
    expect((await ask(CLASSIFY, { images: [cat] })).errors).toBeUndefined();
    expect((await ask(OURS)).data.viewer.quotas).toEqual([]);
  });

  test("of requests holds over HTTP and WebSocket together, and not for admins", async () => {
    await setQuota("REQUESTS", 2, "MONTH");
    expect((await ask("{ viewer { tenant } }")).errors).toBeUndefined();
    expect((await server.follow("{ viewer { tenant } }", {}, key))[0].errors).toBeUndefined();
    const [overSocket] = await server
      .follow("{ viewer { tenant } }", {}, key)
      .catch((errors) => [{ errors }]);
    for (const { errors } of [await ask("{ viewer { tenant } }"), overSocket])
      expect(errors?.[0].extensions).toMatchObject({ code: "QUOTA_EXCEEDED", quota: "requests" });
    const response = await server.fetch("/graphql", {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ query: "{ viewer { tenant } }" }),
    });
    expect(response.status).toBe(429);
    const { errors } = (await response.json()) as { errors: { extensions: { resetsAt: string } }[] };
    const wait = (Date.parse(errors[0].extensions.resetsAt) - Date.now()) / 1000;
    expect(Math.abs(Number(response.headers.get("retry-after")) - wait)).toBeLessThan(60);
    await server.ask(SET, { tenant: "demo", resource: "REQUESTS", limit: 0 });
    const { data } = await server.ask(SET, { tenant: "demo", resource: "REQUESTS", limit: null });
    expect(data.setQuota).toEqual({ tenant: { quotas: [] }, userErrors: [] });
  });

  test("of stored bytes refuses a dataset that it does not hold, until another is deleted", async () => {
    expect((await ask(CREATE, { name: "one" })).data.createDataset.userErrors).toEqual([]);
    const { data } = await setQuota("STORED_BYTES", 5_000);
    expect(data.setQuota.tenant.quotas).toMatchObject([{ limit: 5_000, window: null, resetsAt: null }]);
    const [{ used }] = data.setQuota.tenant.quotas;
    expect(used).toBeGreaterThan(0);
    await setQuota("STORED_BYTES", used);
    expect((await ask(CREATE, { name: "two" })).data.createDataset.userErrors).toMatchObject([
      { code: "QUOTA_EXCEEDED" },
    ]);
    const remove = `mutation { deleteDataset(datasetId: "dataset_one") { dataset { id } userErrors { code } } }`;
    expect((await ask(remove)).data.deleteDataset).toEqual({
      dataset: { id: "dataset_one" },
      userErrors: [],
    });
    expect((await ask(CREATE, { name: "two" })).data.createDataset.userErrors).toEqual([]);
    expect((await ask(remove)).data.deleteDataset.userErrors).toEqual([{ code: "NOT_FOUND" }]);
  });

  test("of compute seconds lets no job begin once it is used up", async () => {
    await ask(CREATE, { name: "scenes-shots" });
    await setQuota("COMPUTE_SECONDS", 0);
    const { data } = await ask(PURIFY, { input: quickPurification("mine"), key: "k" });
    expect(data.purify).toMatchObject({ job: null, userErrors: [{ code: "QUOTA_EXCEEDED" }] });
  });

  test("is set by admins, for tenants that are there, to a whole number", async () => {
    expect((await ask(SET, { tenant, resource: "IMAGES", limit: 9 })).errors?.[0].extensions.code).toBe(
      "FORBIDDEN",
    );
    const codes = async (variables: object) =>
      (await server.ask(SET, { resource: "IMAGES", limit: 1, tenant, ...variables })).data.setQuota
        .userErrors;
    expect(await codes({ tenant: "nobody" })).toMatchObject([{ code: "NOT_FOUND" }]);
    for (const limit of [-1, 1.5, "many"])
      expect(await codes({ limit })).toEqual([{ code: "VALIDATION_FAILED", path: ["limit"] }]);
  });
});

describe("what quotas refuse", () => {
  test("is counted for Prometheus by the quota, and by no tenant", async () => {
    const refusals = async () => {
      const page = await (await server.fetch("/metrics")).text();
      const lines = page.matchAll(/^antidote_quota_refusals_total\{quota="(\w+)"\} (\d+)$/gm);
      return Object.fromEntries([...lines].map(([, quota, count]) => [quota, Number(count)]));
    };
    await ask(CREATE, { name: "scenes-shots" });
    const before = await refusals();
    await setQuota("IMAGES", 0);
    await setQuota("COMPUTE_SECONDS", 0);
    await setQuota("STORED_BYTES", 0);
    for (let time = 0; time < 2; time++) await ask(CLASSIFY, { images: [{ assetId: "asset_cat" }] });
    await ask(PURIFY, { input: quickPurification("mine"), key: "k" });
    await ask(CREATE, { name: "two" });
    await setQuota("REQUESTS", 0);
    for (let time = 0; time < 3; time++) await ask("{ viewer { tenant } }");
    const after = await refusals();
    const more = Object.fromEntries(Object.keys(after).map((quota) => [quota, after[quota] - before[quota]]));
    expect(more).toEqual({ requests: 3, images: 2, computeSeconds: 1, storedBytes: 1 });
  });
});

describe("the usage report", () => {
  const USAGE = `query ($from: DateTime!, $to: DateTime!, $tenant: String) {
    usage(from: $from, to: $to, tenant: $tenant) { from to requests images computeSeconds storedBytes }
  }`;
  const today = () => {
    const from = new Date().toISOString().slice(0, 10);
    return { from, to: new Date(Date.parse(from) + 24 * 3600_000).toISOString() };
  };

  test("has what was used up to now; another tenant's is for admins", async () => {
    await ask(CREATE, { name: "one" });
    await ask(CLASSIFY, { images: [{ assetId: "asset_cat" }] });
    const expected = { requests: 3, images: 1, computeSeconds: 0, storedBytes: expect.any(Number) };
    const { data } = await ask(USAGE, today());
    expect(data.usage.at(-1)).toMatchObject(expected);
    expect(data.usage.at(-1).storedBytes).toBeGreaterThan(0);
    const forAdmins = await server.ask(USAGE, { ...today(), tenant });
    expect(forAdmins.data.usage).toEqual(data.usage);
    for (const stranger of ["demo", "nobody"]) {
      const { errors } = await ask(USAGE, { ...today(), tenant: stranger });
      expect(errors?.[0]).toMatchObject({
        message: `There is no tenant "${stranger}".`,
        extensions: { code: "NOT_FOUND" },
      });
    }
  });
});
