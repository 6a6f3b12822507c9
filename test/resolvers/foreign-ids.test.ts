import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { Antidote } from "../../client/index.ts";
import { createSchema } from "../../src/resolvers/schema.ts";
import type { IdKind } from "../../src/services/global-id.ts";
import { ADMIN_KEY, FEW_LABELS, QUICK, startTestServer, type TestServer, ZOO } from "../app/server.ts";
import {
  hiddenIdFields,
  operationWith,
  type Samples,
  type Slot,
  slotsOf,
} from "../support/schema-arguments.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** One of everything that a tenant can have. */
type World = Record<Exclude<IdKind, "model" | "asset">, string>;

const MODEL = "model_scenes-badnet";

/** Fields of operators, which concern every tenant and say so: to all others they are forbidden, whatever the id. */
const ADMINISTRATION = new Set([
  "createKey",
  "createTenant",
  "deleteModel",
  "registerModel",
  "restoreTenant",
  "revokeKey",
  "rotateApiKey",
  "suspendTenant",
]);

/** How an answer says that there is nothing of that id. */
const NOT_THERE = ['"NOT_FOUND"', ":null},", "[null]", "ImageRejected", "There is no asset", '"edges":[]'];

/** Places where it is said in other words. */
const OTHERWISE: Readonly<Record<string, readonly string[]>> = {
  "moveAlias(expected)": ["STALE_ALIAS"],
  "moveAlias(evidenceId)": ["The evidence is no evaluation of this version."],
  // A job of the right form is looked for only after what the samples lack.
  "implantBackdoor(input.others.trigger)": ["to measure on. Add some."],
  "scheduleEvaluation(input.attacks.trigger)": [
    '"userErrors":[{"code":"VALIDATION_FAILED"',
    '"userErrors":[]',
  ],
};

/** A schedule that comes to nothing while the tests run. */
const NEVER = {
  everySeconds: 86_400,
  startAt: new Date(Date.now() + 86_400_000).toISOString(),
  gate: { minCaDelta: -1 },
};

const schema = createSchema();
/** Ids first: names that are tried may become names of the stranger's own things, and their ids with them. */
const slots = slotsOf(schema).sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : 0));
let server: TestServer;
let mine: World;
let theirs: World;
let keys: { readonly ordinary: string; readonly admin: string };
/** What the owner had before anybody else asked for it. */
let before: readonly object[];

beforeAll(async () => {
  const folder = { DATA_DIR: temporaryFolder() };
  server = await startTestServer({ ...folder, JOB_CONCURRENCY: "2" });
  const ordinary = await server.tenant("stranger", ["CLASSIFY", "DATASETS_WRITE", "PROMPTS_WRITE"]);
  const admin = await server.tenant("stranger", ["CLASSIFY", "DATASETS_WRITE", "PROMPTS_WRITE", "ADMIN"]);
  keys = { ordinary, admin };
  // Another seed: the same work would make the same version, with the same id.
  [mine, theirs] = await Promise.all([
    makeWorld("mine", "demo", ADMIN_KEY, 1),
    makeWorld("own", "stranger", ordinary, 2),
  ]);
  await server.close();
  // Whatever is started from now on waits behind a job that never ends.
  const handlersModule = pathToFileURL(join(__dirname, "waiting-handlers.mjs"));
  server = await startTestServer({ ...folder, ALLOW_ATTACKS: "1" }, { handlersModule });
  await new Antidote({ url: server.app.url, key: ADMIN_KEY }).audit({
    modelId: MODEL,
    datasetId: mine.dataset,
  });
  before = await ownersThings();
}, 240_000);

async function ownersThings(): Promise<readonly object[]> {
  const ids = Object.values(mine);
  const { data } = await server.ask(
    `query ($ids: [ID!]!) {
      nodes(ids: $ids) {
        __typename
        id
        ... on Dataset { name size digest labels }
        ... on PromptSet { aliases { name version { id } history { to } } schedules { id } versions { totalCount } }
        ... on PromptVersion { digest evaluations { id } }
        ... on PurificationJob { status finishedAt }
        ... on Webhook { url events disabledAt }
        ... on Schedule { alias everySeconds nextAt minCaDelta maxAsr95 }
      }
      keys { id name tenant scopes revokedAt expiresAt }
      tenants { name suspendedAt }
    }`,
    { ids },
  );
  expect(data.nodes.map(({ id }: { id: string }) => id)).toEqual(ids);
  const keys = data.keys.filter(({ tenant }: { tenant: string }) => tenant === "demo");
  const tenants = data.tenants.filter(({ name }: { name: string }) => name === "demo");
  return [...data.nodes, ...keys, ...tenants];
}

async function makeWorld(prefix: string, tenant: string, key: string, seed: number): Promise<World> {
  const antidote = new Antidote({ url: server.app.url, key });
  const shots = FEW_LABELS.flatMap((label) =>
    [0, 1].map((index) => ({ label, image: { path: join(ZOO, `shots/${label}/0${index}.png`) } })),
  );
  const { dataset } = await antidote.createDataset(`${prefix}-shots`, shots);
  const what = { modelId: MODEL, datasetId: dataset.id };
  const purifying = await antidote.purify({ ...what, ...QUICK, promptSet: `${prefix}-set`, seed });
  const { version } = await purifying.result();
  const evaluating = await antidote.evaluate({ ...what, through: { versionId: version.id } });
  const { id: evaluation } = await evaluating.result();
  const webhook = await make(
    antidote,
    `mutation ($url: String!) {
      done: createWebhook(url: $url, events: [JOB_SUCCEEDED]) { made: webhook { id } userErrors { message } }
    }`,
    { url: `https://example.com/${prefix}` },
  );
  const schedule = await make(
    antidote,
    `mutation ($input: ScheduleEvaluationInput!) {
      done: scheduleEvaluation(input: $input) { made: schedule { id } userErrors { message } }
    }`,
    { input: { ref: { promptSet: `${prefix}-set` }, datasetId: dataset.id, ...NEVER } },
  );
  const { data } = await server.ask(
    `mutation ($tenant: String!) { createKey(tenant: $tenant, name: "another", scopes: []) { key { id } } }`,
    { tenant },
  );
  return {
    dataset: dataset.id,
    promptset: `promptset_${prefix}-set`,
    version: version.id,
    job: purifying.id,
    evaluation,
    webhook,
    schedule,
    tenant: `tenant_${tenant}`,
    key: data.createKey.key.id,
  };
}

/** The id of what a mutation makes. */
async function make(antidote: Antidote, query: string, variables: object): Promise<string> {
  type Answer = { done: { made: { id: string } | null; userErrors: readonly object[] } };
  const { done } = await antidote.request<Answer>(query, variables);
  if (!done.made) throw new Error(JSON.stringify(done.userErrors));
  return done.made.id;
}

let calls = 0;

/** What the stranger says besides, all of it their own. */
const samples: Samples = {
  modelId: () => MODEL,
  datasetId: () => theirs.dataset,
  to: () => theirs.version,
  promptSet: () => "own-set",
  idempotencyKey: () => `sample-${++calls}`,
  name: () => `sample-${++calls}`,
  label: () => "a new one",
  labels: () => "apple",
  target: () => "apple",
  tenant: () => "stranger",
  url: () => "https://example.com/sample",
  base64: () => "AAAA",
  DateTime: () => "2026-01-01T00:00:00.000Z",
  ImageInput: () => ({ assetId: "asset_cat" }),
  Through: () => ({ versionId: theirs.version }),
  ScheduleGate: () => NEVER.gate,
  everySeconds: () => NEVER.everySeconds,
  FileInput: () => ({ base64: "AAAA" }),
  VersionRef: () => ({ versionId: theirs.version }),
  ExamplesInput: () => ({ list: [{ label: "apple", image: { assetId: "asset_cat" } }] }),
};

/** Ids and names of the owner, beside ones of the same form that nobody has. */
const pairsOf = ({ type }: Slot): [string, string][] => {
  const ids = Object.values(mine);
  const names = ["mine-set", "mine-shots"];
  return (type === "ID" ? ids : names).map((text) => [text, alike(text)]);
};

/** Of the same length and form: the last character is another. */
const alike = (text: string): string =>
  text.replace(/.$/, (last) => (last === "a" || last === "7" ? "5" : /\d/.test(last) ? "7" : "a"));

/** What the stranger is answered, to the byte, but for ids of requests, times, and the text that was asked for. */
async function answer(slot: Slot, text: string, key: string): Promise<string> {
  const stream = slot.operation === "subscription";
  const response = await server.fetch(stream ? "/graphql/stream" : "/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify(operationWith(slot, text, samples)),
  });
  const body = await response.text();
  if (body.includes('"job":{')) await withdrawJobs();
  const local = text.slice(text.indexOf("_") + 1);
  return `${response.status} ${response.headers.get("retry-after")} ${body}`
    .replaceAll(text, "<asked>")
    .replaceAll(local, "<asked>")
    .replaceAll(/"requestId":"[^"]*"/g, '"requestId":""')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/sample-\d+/g, "<sample>");
}

/** A job that was started would take the processor from the next answers. */
async function withdrawJobs(): Promise<void> {
  const call = { key: keys.ordinary };
  const { data } = await server.ask("{ jobs(statuses: [QUEUED, VALIDATING, RUNNING]) { id } }", {}, call);
  for (const { id } of data.jobs)
    await server.ask("mutation ($id: ID!) { cancelJob(id: $id) { replayed } }", { id }, call);
}

const codesOf = (told: string): string[] => [...told.matchAll(/"code":"([A-Z_]+)"/g)].map(([, code]) => code);

describe("text of another tenant's, as ids and names", () => {
  test("can be put into no field below the entry points", () => {
    expect(hiddenIdFields(schema)).toEqual([]);
  });

  test.each(slots.map((slot) => [slot.name, slot] as const))("%s", async (name, slot) => {
    let key = keys.ordinary;
    const unknown: string[] = [];
    for (const [foreign, nobodys] of pairsOf(slot)) {
      let told = await answer(slot, nobodys, key);
      if (
        codesOf(told).includes("FORBIDDEN") &&
        key === keys.ordinary &&
        !ADMINISTRATION.has(slot.field.name)
      ) {
        key = keys.admin;
        told = await answer(slot, nobodys, key);
      }
      expect(await answer(slot, foreign, key)).toBe(told);
      unknown.push(told);
    }
    if (slot.type === "String") return;
    // The id was looked for, and not that something else was wrong.
    const words = ADMINISTRATION.has(slot.field.name)
      ? ["FORBIDDEN"]
      : [...NOT_THERE, ...(OTHERWISE[name] ?? [])];
    const missed = unknown.filter((told) => !words.some((word) => told.includes(word)));
    expect(missed).toEqual([]);
  });

  test("has left what is its owner's as it was", async () => {
    expect(await ownersThings()).toEqual(before);
  });
});
