import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, test } from "@jest/globals";
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { ADMIN_KEY, PURIFY, quickPurification, startTestServer, type TestServer } from "../app/server.ts";

let server: TestServer;
beforeAll(async () => {
  const handlersModule = pathToFileURL(join(__dirname, "waiting-handlers.mjs"));
  server = await startTestServer({}, { handlersModule });
});

const begin = async (promptSet: string): Promise<string> => {
  const { data } = await server.ask(PURIFY, { input: quickPurification(promptSet), key: promptSet });
  expect(data.purify.userErrors).toEqual([]);
  return data.purify.job.id;
};
const cancel = (id: string) =>
  server.ask(`mutation ($id: ID!) { cancelJob(id: $id) { userErrors { code } } }`, { id });

/** All ids of a list, one at a time. */
async function walked(list: string): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const { data } = await server.ask(
      `query ($after: String) { list: ${list}(first: 1, after: $after) { id } }`,
      {
        after: ids.at(-1),
      },
    );
    if (data.list.length === 0) return ids;
    expect(data.list).toHaveLength(1);
    ids.push(data.list[0].id);
  }
}

test("every list can be walked to its end, each time from the last one that is known", async () => {
  for (const promptSet of ["one", "three", "two"]) await cancel(await begin(promptSet));
  const example = { label: "cat", image: { assetId: "asset_cat" } };
  for (const name of ["a", "z"])
    await server.ask(
      `mutation ($input: CreateDatasetInput!) { createDataset(input: $input) { dataset { id } } }`,
      {
        input: { name, examples: { list: [example] } },
      },
    );
  expect(await walked("datasets")).toEqual(["dataset_a", "dataset_scenes-shots", "dataset_z"]);
  expect(await walked("models")).toEqual(["model_scenes-badnet", "model_scenes-clean"]);
  expect(await walked("promptSets")).toEqual(["promptset_one", "promptset_three", "promptset_two"]);
  const { data } = await server.ask("{ jobs { id } }");
  expect(data.jobs).toHaveLength(3);
  expect(await walked("jobs")).toEqual(data.jobs.map(({ id }: { id: string }) => id));
  const wrong = await server.ask(`{ jobs(after: "dataset_a") { id } }`);
  expect(wrong.errors?.[0].extensions.code).toBe("NOT_FOUND");
});

test("whoever watches jobs is told of one that is older than a hundred others, until it ends", async () => {
  const long = await begin("long");
  for (let index = 0; index < 101; index++) await cancel(await begin(`short-${index}`));
  const client = createClient({
    url: `${server.app.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${ADMIN_KEY}` },
    retryAttempts: 0,
  });
  const told: string[] = [];
  try {
    for await (const { data } of client.iterate<{ jobs: { id: string; status: string } }>({
      query: "subscription { jobs { id status } }",
    })) {
      expect(data?.jobs.id).toBe(long);
      told.push(data?.jobs.status ?? "");
      if (told.length === 1) await cancel(long);
      if (data?.jobs.status === "CANCELLED") break;
    }
  } finally {
    await client.dispose();
  }
  expect(told[0]).not.toBe("CANCELLED");
  expect(told.at(-1)).toBe("CANCELLED");
});
