import { beforeAll, describe, expect, test } from "@jest/globals";
import { parseSafetensors } from "../../src/engine/clip/safetensors.ts";
import {
  ADMIN_KEY,
  FEW_LABELS,
  purifyQuickly,
  QUICK,
  startTestServer,
  type TestServer,
} from "../app/server.ts";

const ADD_CLASS = `mutation ($input: AddClassInput!, $key: String!) {
  addClass(input: $input, idempotencyKey: $key) { job { id } replayed userErrors { code message path } }
}`;

let server: TestServer;
let base: string;

beforeAll(async () => {
  server = await startTestServer();
  base = await purifyQuickly(server, "shop");
});

const { labels: _, ...QUICKLY } = QUICK;

async function addClass(more: object = {}, key = "add") {
  const input = {
    to: { versionId: base },
    label: "cat",
    datasetId: "dataset_scenes-shots",
    ...QUICKLY,
    ...more,
  };
  return (await server.ask(ADD_CLASS, { input, key })).data.addClass;
}

async function finished(id: string) {
  await server.follow(`subscription ($id: ID!) { jobEvents(jobId: $id) { seq } }`, { id });
  const { data } = await server.ask(
    `query ($id: ID!) { job(id: $id) { status failure { message } ... on PurificationJob {
      addedTo { id } gate { passed alias reasons } audit { classes { label } } config { seed contextTokens }
      result { id number labels probe { ca { n } } lineage { dataset } }
    } } }`,
    { id },
  );
  expect(data.job.failure).toBeNull();
  return data.job;
}

/** The rows of a version's tensors, one buffer for each class. */
async function rowsOf(version: string): Promise<Record<"contexts" | "text_features", Buffer[]>> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}` };
  const response = await server.fetch(`/artifacts/${version.replace("version_", "")}`, { headers });
  const file = Buffer.from(await response.arrayBuffer());
  const { tensors } = parseSafetensors(file, "bundle");
  const rows = (name: string) => {
    const { offset, length, shape } = tensors.get(name)!;
    const size = length / shape[0];
    return Array.from({ length: shape[0] }, (_, row) =>
      file.subarray(offset + row * size, offset + (row + 1) * size),
    );
  };
  return { contexts: rows("contexts"), text_features: rows("text_features") };
}

describe("a class that is added", () => {
  test("makes a new version whose other classes are the same, bit for bit, and checks the gate on all", async () => {
    const { job, userErrors } = await addClass();
    expect(userErrors).toEqual([]);
    const { addedTo, gate, audit, result, config } = await finished(job.id);
    expect(addedTo).toEqual({ id: base });
    expect(gate).toEqual({ passed: true, alias: "live", reasons: [] });
    expect(audit.classes).toHaveLength(4);
    expect(config).toEqual({ seed: 1, contextTokens: 4 });
    expect(result).toMatchObject({ number: 2, labels: [...FEW_LABELS, "cat"], probe: { ca: { n: 8 } } });

    const [before, after] = [await rowsOf(base), await rowsOf(result.id)];
    for (const name of ["contexts", "text_features"] as const) {
      expect(after[name]).toHaveLength(4);
      before[name].forEach((row, label) => {
        expect(row.equals(after[name][label])).toBe(true);
      });
    }
    const { data } = await server.ask(
      `{ promptSet(name: "shop") { aliases { version { id } history { reason } } } }`,
    );
    expect(data.promptSet.aliases).toMatchObject([{ version: { id: result.id } }]);
    expect(data.promptSet.aliases[0].history[0].reason).toBe("A class was added.");
    expect(await addClass()).toMatchObject({ replayed: true, job: { id: job.id } });
  });

  test("to another prompt set, through an alias and with a gate that it does not pass, is a version only", async () => {
    const to = { alias: { promptSet: "shop" } };
    const { job } = await addClass(
      { to, label: "key", promptSet: "other", gate: { minCaDelta: 1 } },
      "gated",
    );
    const { gate, result } = await finished(job.id);
    expect(gate).toMatchObject({ passed: false, alias: "live" });
    expect(result).toMatchObject({ number: 1, labels: [...FEW_LABELS, "cat", "key"] });
    const { data } = await server.ask(`{ promptSet(name: "other") { aliases { name } } }`);
    expect(data.promptSet.aliases).toEqual([]);
  });

  const cases: [string, object, string, string][] = [
    ["that is there", { label: " apple " }, "VALIDATION_FAILED", 'has a class "apple" already'],
    ["without a name", { label: " " }, "VALIDATION_FAILED", "1 to 100 characters"],
    ["without shots", { label: "castle" }, "VALIDATION_FAILED", "no examples of castle"],
    ["with more context vectors", { contextTokens: 8 }, "VALIDATION_FAILED", "have contextTokens 4"],
    ["at another position", { position: "FRONT" }, "VALIDATION_FAILED", "have position END"],
    ["with recovery prompts of its own", { recovery: 2 }, "VALIDATION_FAILED", "leave recovery out"],
    ["to an unknown version", { to: { versionId: "version_nothing" } }, "NOT_FOUND", "no prompt version"],
    ["to an alias that is nowhere", { to: { alias: { promptSet: "x" } } }, "NOT_FOUND", "no alias"],
    ["with an unknown target", { targets: ["cat", "dog"] }, "VALIDATION_FAILED", "no targets: dog"],
    ["with an impossible gate", { gate: { maxAsr95: 2 } }, "VALIDATION_FAILED", "maxAsr95"],
  ];

  test.each(cases)("%s is refused", async (_what, more, code, message) => {
    const { job, userErrors } = await addClass(more, "never");
    expect(job).toBeNull();
    expect(userErrors).toMatchObject([{ code, message: expect.stringContaining(message) }]);
  });

  test("to another tenant's version is refused as one that is not there", async () => {
    const key = await server.tenant("stranger", ["PROMPTS_WRITE"]);
    const input = { to: { versionId: base }, label: "cat", datasetId: "dataset_scenes-shots" };
    const { data } = await server.ask(ADD_CLASS, { input, key: "x" }, { key });
    expect(data.addClass.userErrors).toMatchObject([{ code: "NOT_FOUND" }]);
  });
});
