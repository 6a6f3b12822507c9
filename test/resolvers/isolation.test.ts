import { beforeAll, describe, expect, test } from "@jest/globals";
import { purifyQuickly, startTestServer, type TestServer } from "../app/server.ts";

const ALL_BUT_ADMIN = ["CLASSIFY", "DATASETS_WRITE", "PROMPTS_WRITE"];

let server: TestServer;
let stranger: string;
let version: string;
let job: string;

beforeAll(async () => {
  server = await startTestServer();
  stranger = await server.tenant("stranger", ALL_BUT_ADMIN);
  version = await purifyQuickly(server, "mine");
  const { data } = await server.ask("{ jobs { id } }");
  job = data.jobs[0].id;
});

const asStranger = async (query: string, variables = {}) => server.ask(query, variables, { key: stranger });

/** Every argument of every field is tried in foreign-ids.test.ts. */
describe("what belongs to another tenant is not there", () => {
  test("by its global id, just as an id that nobody has", async () => {
    const ids = ["dataset_scenes-shots", "promptset_mine", version, job, "tenant_demo", "key_first"];
    const query = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    expect((await server.ask(query, { ids })).data.nodes).toEqual(ids.map((id) => ({ id })));
    expect((await asStranger(query, { ids })).data.nodes).toEqual(ids.map(() => null));
  });

  test("in any list or by any name", async () => {
    const { data } = await asStranger(
      `query ($job: ID!) {
        datasets { id } promptSets { id } jobs { id }
        dataset(name: "scenes-shots") { id } promptSet(name: "mine") { id } job(id: $job) { id }
      }`,
      { job },
    );
    expect(data).toEqual({
      datasets: [],
      promptSets: [],
      jobs: [],
      dataset: null,
      promptSet: null,
      job: null,
    });
  });

  const shared = "models, which all may use, and sample images";
  test(`but for ${shared}`, async () => {
    const { data } = await asStranger("{ models { name } assets { id } viewer { tenant scopes } }");
    expect(data.models).toHaveLength(2);
    expect(data.assets.length).toBeGreaterThan(0);
    expect(data.viewer).toEqual({ tenant: "stranger", scopes: ALL_BUT_ADMIN });
  });

  test("to follow or to download", async () => {
    const [answer] = await server.follow(
      `subscription ($job: ID!) { jobEvents(jobId: $job) { seq } }`,
      { job },
      stranger,
    );
    expect(answer.errors?.[0].extensions.code).toBe("NOT_FOUND");
    const headers = { authorization: `Bearer ${stranger}` };
    expect((await server.fetch(`/artifacts/${version.replace("version_", "")}`, { headers })).status).toBe(
      404,
    );
  });
});

describe("a scope that a key has not got", () => {
  test("is missed by each field that asks for it, and by no other", async () => {
    const reader = await server.tenant("reader", []);
    const attempts = [
      `{ classify(input: { images: [{ assetId: "asset_cat" }] }) { served { id } } }`,
      `mutation { createDataset(input: { name: "x", examples: { list: [] } }) { userErrors { code } } }`,
      `mutation { cancelJob(id: "job_x") { userErrors { code } } }`,
      `mutation { registerModel(input: { folder: "scenes-clean" }) { userErrors { code } } }`,
      `mutation { deleteModel(modelId: "model_scenes-clean") { userErrors { code } } }`,
      `mutation { createTenant(name: "x") { userErrors { code } } }`,
      `mutation { createKey(tenant: "reader", name: "x", scopes: [ADMIN]) { secret } }`,
      `mutation { revokeKey(id: "key_first") { userErrors { code } } }`,
      `{ tenants { name } }`,
      `{ keys { name } }`,
    ];
    for (const query of attempts) {
      const { errors } = await server.ask(query, {}, { key: reader });
      expect(errors?.[0].extensions.code).toBe("FORBIDDEN");
    }
    expect((await server.ask("{ models { id } jobs { id } }", {}, { key: reader })).errors).toBeUndefined();
  });
});

describe("a key that is revoked", () => {
  test("opens nothing any more, over HTTP and WebSocket", async () => {
    const key = await server.tenant("leaving", ["CLASSIFY"]);
    const { data } = await server.ask("{ keys { id tenant } }");
    const { id } = data.keys.find(({ tenant }: { tenant: string }) => tenant === "leaving");
    await server.ask(`mutation ($id: ID!) { revokeKey(id: $id) { key { revokedAt } userErrors { code } } }`, {
      id,
    });
    const { errors } = await server.ask("{ viewer { tenant } }", {}, { key });
    expect(errors?.[0].extensions.code).toBe("UNAUTHENTICATED");
    await expect(server.follow("{ viewer { tenant } }", {}, key)).rejects.toMatchObject({ code: 4401 });
  });
});
