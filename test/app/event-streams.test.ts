import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { afterEach, beforeAll, describe, expect, jest, test } from "@jest/globals";
import express, { type Response } from "express";
import { buildSchema } from "graphql";
import pino from "pino";
import type { Context } from "../../src/context.ts";
import { EventStreams } from "../../src/http/event-streams.ts";
import type { Metrics } from "../../src/http/metrics.ts";
import { TrustedDocuments } from "../../src/http/trusted-documents.ts";
import { until } from "../support/until.ts";
import {
  ADMIN_KEY,
  PURIFY,
  purifyQuickly,
  quickPurification,
  startTestServer,
  type TestServer,
} from "./server.ts";

let server: TestServer;
let job: string;

beforeAll(async () => {
  server = await startTestServer({ MAX_REQUEST_MB: "1" });
  await purifyQuickly(server, "streamed");
  job = (await server.ask("{ jobs { id } }")).data.jobs[0].id;
});

const EVENTS = "subscription ($job: ID!, $after: Int) { jobEvents(jobId: $job, afterSeq: $after) { seq } }";

const open = (query: string, variables: object, headers: Record<string, string> = {}) =>
  server.fetch("/graphql/stream", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "text/event-stream",
      authorization: `Bearer ${ADMIN_KEY}`,
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
  });

const idsOf = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

type Call = (query: string, variables?: object) => Promise<unknown>;

describe("a stream of server-sent events", () => {
  test("has every event of a job, each with its number as id, and then an end", async () => {
    const response = await open(EVENTS, { job });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const text = await response.text();
    const ids = idsOf(text);
    expect(ids).toEqual(ids.map((_, index) => index + 1));
    expect(ids.length).toBeGreaterThan(4);
    expect(text.endsWith("event: complete\ndata:\n\n")).toBe(true);
  });

  test("goes on after `afterSeq`, and after what `Last-Event-ID` says was seen", async () => {
    const last = idsOf(await (await open(EVENTS, { job })).text()).at(-1) as number;
    const rest = [last - 1, last];
    expect(idsOf(await (await open(EVENTS, { job, after: last - 2 })).text())).toEqual(rest);
    expect(idsOf(await (await open(EVENTS, { job }, { "last-event-id": String(last - 2) })).text())).toEqual(
      rest,
    );
    expect(
      idsOf(await (await open(EVENTS, { job, after: last - 2 }, { "last-event-id": "1" })).text()),
    ).toEqual(rest);
    expect(idsOf(await (await open(EVENTS, { job }, { "last-event-id": "x" })).text())).toHaveLength(last);
  });

  test("answers queries and mutations, too, and takes GET for what changes nothing", async () => {
    const [answer] = await server.stream("{ viewer { tenant } }");
    expect(answer.data.viewer.tenant).toBe("demo");
    const get = (query: string) =>
      server.fetch(`/graphql/stream?query=${encodeURIComponent(query)}`, {
        headers: { authorization: `Bearer ${ADMIN_KEY}` },
      });
    expect(await (await get("{ viewer { tenant } }")).text()).toContain(`"tenant":"demo"`);
    expect(await (await get(`mutation { createTenant(name: "by-get") { tenant { id } } }`)).text()).toContain(
      "BAD_USER_INPUT",
    );
    expect((await server.ask("{ tenants { name } }")).data.tenants).not.toContainEqual({ name: "by-get" });
  });

  test("tells what is wrong with an operation as an answer, as graphql-sse has it", async () => {
    const answers = await server.stream(EVENTS, { job: "job_unknown" });
    expect(answers.map(({ errors }) => errors?.[0].extensions.code)).toEqual(["NOT_FOUND"]);
  });

  test.each<[string, number, RequestInit]>([
    ["without a key", 401, { method: "POST", body: "{}", headers: { "content-type": "application/json" } }],
    ["with a wrong key", 401, { headers: { authorization: "Bearer nobody" } }],
    [
      "with a body that is no JSON",
      400,
      { method: "POST", body: "{", headers: { "content-type": "application/json" } },
    ],
    ["for another kind of answer", 406, { headers: { accept: "application/json" } }],
    ["with another method", 405, { method: "DELETE" }],
  ])("is not opened %s", async (_what, status, request) => {
    expect((await server.fetch("/graphql/stream", request)).status).toBe(status);
  });

  test("is one of at most a hundred of a tenant, and makes room when its reader leaves", async () => {
    const leaving = new AbortController();
    const watch = () =>
      server.fetch("/graphql/stream", {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_KEY}` },
        body: JSON.stringify({ query: "subscription { jobs { id } }" }),
        signal: leaving.signal,
      });
    const opened = await Promise.all(Array.from({ length: 100 }, watch));
    expect(opened.map(({ status }) => status)).toEqual(opened.map(() => 200));
    const refused = (await (await watch()).json()) as { errors: { extensions: { code: string } }[] };
    expect(refused.errors[0].extensions.code).toBe("QUOTA_EXCEEDED");
    leaving.abort();
    for (;;) {
      const answers = await server.stream("{ __typename }").catch(() => undefined);
      if (answers) break;
    }
  });

  test("is cut when its server stops, without the mark of an end", async () => {
    const other = await startTestServer();
    const { data } = await other.ask(PURIFY, {
      input: { ...quickPurification("long"), epochs: 2000 },
      key: "long",
    });
    const response = await other.fetch("/graphql/stream", {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_KEY}` },
      body: JSON.stringify({ query: EVENTS, variables: { job: data.purify.job.id } }),
    });
    const reading = response.text();
    await other.close();
    expect(await reading).not.toContain("event: complete");
  });
});

describe("a stream that its reader does not take", () => {
  const opened: { destroy(): void }[] = [];

  afterEach(() => {
    jest.useRealTimers();
    for (const each of opened.splice(0)) each.destroy();
  });

  /** Streams of events without end, and the answer that the last one is. */
  async function endless() {
    const schema = buildSchema("type Query { a: Int } type Subscription { text: String }");
    const field = schema.getSubscriptionType()?.getFields().text;
    if (field)
      field.subscribe = async function* () {
        for (;;) yield { text: "x".repeat(1e6) };
      };
    const streams = new EventStreams({
      schema,
      documents: TrustedDocuments.none(),
      metrics: { timeOperation: () => () => 0 } as unknown as Metrics,
      logger: pino({ level: "silent" }),
      createContext: () => ({ tenant: { name: "acme" }, requestId: "request" }) as Context,
    });
    const app = express();
    const answers: Response[] = [];
    app.use((_request, response, next) => {
      answers.push(response);
      next();
    });
    app.get("/", streams.handler);
    const httpServer = app.listen(0);
    await once(httpServer, "listening");
    opened.push({ destroy: () => httpServer.close() });
    return { streams, answers, port: (httpServer.address() as AddressInfo).port };
  }

  test("is not written to once it was ended", async () => {
    jest.useFakeTimers({
      doNotFake: ["nextTick", "setImmediate", "setTimeout", "clearTimeout", "queueMicrotask"],
    });
    const { streams, answers, port } = await endless();
    const reader = connect(port).on("error", () => {});
    opened.push(reader);
    reader.write(`GET /?query=${encodeURIComponent("subscription { text }")} HTTP/1.1\r\nhost: test\r\n\r\n`);
    reader.pause();
    let waiting = 0;
    // Once the buffers of both sides are full, no more of it leaves.
    await until(() => {
      const before = waiting;
      waiting = answers[0]?.writableLength ?? 0;
      return waiting > 0 && waiting === before;
    }, 50);
    streams.close();
    const failures: Error[] = [];
    answers[0].on("error", (error) => failures.push(error));
    jest.advanceTimersByTime(60_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(answers[0].writableEnded).toBe(true);
    expect(answers[0].closed).toBe(false);
    expect(failures).toEqual([]);
  });
});

/** How many operations were timed, by transport, type and outcome. */
async function operationsCounted(): Promise<ReadonlyMap<string, number>> {
  const page = await (await server.fetch("/metrics")).text();
  const lines = page.matchAll(
    /^antidote_operation_seconds_count\{transport="(\w+)",type="(\w+)",outcome="(\w+)"\} (\d+)$/gm,
  );
  return new Map(
    [...lines].map(([, transport, type, outcome, count]) => [
      `${transport} ${type} ${outcome}`,
      Number(count),
    ]),
  );
}

describe("operations are counted once each, by type and outcome,", () => {
  const ask: Call = (query, variables) => server.ask(query, variables);
  const follow: Call = (query, variables) => server.follow(query, variables);
  const stream: Call = (query, variables) => server.stream(query, variables);

  test.each<[string, Call]>([
    ["http", ask],
    ["websocket", follow],
    ["sse", stream],
  ])("over %s", async (transport, send) => {
    const before = await operationsCounted();
    await send("{ viewer { tenant } }");
    await send(`mutation { cancelJob(id: "job_unknown") { userErrors { code } } }`);
    for (const refused of ["{", "{ unknown }", "query ($missing: Int!) { __typename @skip(if: $missing) }"])
      await send(refused).catch(() => {});
    await send("query ($missing: String!) { __type(name: $missing) { name } }");
    await send(EVENTS, { job });
    await send(EVENTS, { job: "job_unknown" });
    const after = await operationsCounted();
    const grown = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
    expect(Object.fromEntries(grown.filter(([, more]) => more > 0))).toEqual({
      [`${transport} query ok`]: 1,
      [`${transport} query error`]: 1,
      [`${transport} mutation ok`]: 1,
      [`${transport} none error`]: 3,
      // One answer to one request is no place for events.
      ...(transport === "http"
        ? { "http subscription error": 2 }
        : { [`${transport} subscription ok`]: 1, [`${transport} subscription error`]: 1 }),
    });
  });
});
